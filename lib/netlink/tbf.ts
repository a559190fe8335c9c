/**
 * The token bucket filter (tc-tbf(8), linux/pkt_sched.h TCA_TBF_*, net/sched/sch_tbf.c): what is put into the bucket, and what
 * the kernel tells of it afterwards.
 */
import { putU32, putU64 } from './structs.ts';
import type { AttrStream } from './structs.ts';
import { DecodeError } from './attributes.ts';
import type { Attributes } from './attributes.ts';

const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
/** struct tc_tbf_qopt: two struct tc_ratespec of 12 bytes (the rate and the unused peak rate), limit, buffer, mtu. */
const QOPT = 36;
const LINKLAYER = 1;
const RATE = 8;
const LIMIT = 24;
const BUFFER = 28;
const U32_MAX = 0xffffffff;
/** The kernel's unit of scheduling time: a tick is 2^PSCHED_SHIFT ns (include/net/pkt_sched.h; /proc/net/psched tells it). */
export const NS_PER_TICK = 64n;
const NS_PER_S = 1_000_000_000n;

export interface Tbf {
  /** Bytes per second, at least 1. */
  readonly rate: number;
  /** The size of the bucket in bytes, below 4 GiB: no larger packet ever passes. */
  readonly burst: number;
  /** How many bytes may wait for tokens; more are dropped. */
  readonly limit: number;
}

/** What the kernel tells: of the bucket's size only how long it takes to fill, in ticks and modulo 2^32. */
export interface TbfState {
  readonly rate: number;
  readonly ticks: number;
  readonly limit: number;
}

/** The filter in which, as tc reckons it, a packet beyond the burst waits no longer than `latency` ms. */
export function tbfOf(rate: number, burst: number, latency: number): Tbf {
  return { rate, burst, limit: Math.min(U32_MAX, Math.floor((rate * latency) / 1000) + burst) };
}

/** How long `burst` bytes take at this rate, in ticks; it may exceed 32 bits. */
function ticksOf({ rate, burst }: Tbf): bigint {
  return (BigInt(burst) * NS_PER_S) / (BigInt(rate) * NS_PER_TICK);
}

/** Fills the options of a discipline "tbf". Kernels since 3.14 take the bucket's size in bytes and need no rate table. */
export function encodeTbf(tbf: Tbf, options: AttrStream): void {
  const ticks = ticksOf(tbf);
  const qopt = Buffer.alloc(QOPT);
  qopt.writeUInt8(TC_LINKLAYER_ETHERNET, LINKLAYER);
  qopt.writeUInt32LE(Math.min(tbf.rate, U32_MAX), RATE);
  qopt.writeUInt32LE(tbf.limit, LIMIT);
  qopt.writeUInt32LE(ticks > U32_MAX ? U32_MAX : Number(ticks), BUFFER);
  options.push(TCA_TBF_PARMS, qopt);
  options.push(TCA_TBF_BURST, putU32(tbf.burst));
  if (tbf.rate > U32_MAX) options.push(TCA_TBF_RATE64, putU64(BigInt(tbf.rate)));
}

export function decodeTbf(options: Attributes): TbfState {
  const qopt = options.bytes(TCA_TBF_PARMS);
  if (qopt === undefined || qopt.length < QOPT)
    throw new DecodeError('a token bucket without its parameters');
  const rate64 = options.bytes(TCA_TBF_RATE64);
  if (rate64 !== undefined && rate64.length < 8) throw new DecodeError(`a rate of ${rate64.length} bytes`);
  return {
    rate: Number(rate64?.readBigUInt64LE(0) ?? qopt.readUInt32LE(RATE)),
    ticks: qopt.readUInt32LE(BUFFER),
    limit: qopt.readUInt32LE(LIMIT),
  };
}

/** Whether the bucket is as large as wanted, as far as can be told: the kernel computes with some 31 bits of precision. */
export function isSameBurst(wanted: Tbf, { ticks }: TbfState): boolean {
  const exact = ticksOf(wanted);
  const off = BigInt.asIntN(32, BigInt(ticks) - exact);
  return (off < 0n ? -off : off) <= (exact >> 24n) + 2n;
}
