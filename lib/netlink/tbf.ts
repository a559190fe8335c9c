/**
 * The token bucket filter (tc-tbf(8), linux/pkt_sched.h TCA_TBF_*, net/sched/sch_tbf.c): what is put into the bucket,
 * and what the kernel tells of it afterwards.
 */
import { DecodeError } from './attributes.ts';
import { bytes, encode, struct, u32, u64 } from './codec.ts';
import { TCA_TBF_BURST, TCA_TBF_PARMS, TCA_TBF_RATE64, TC_LINKLAYER_ETHERNET } from './uapi.ts';

/** struct tc_tbf_qopt: two struct tc_ratespec of 12 bytes (the rate and the unused peak rate), limit, buffer, mtu. */
const QOPT = 36;
const LINKLAYER = 1;
const RATE = 8;
const LIMIT = 24;
const BUFFER = 28;
const U32_MAX = 0xffffffff;
/**
 * The kernel's unit of scheduling time: a tick is 2^PSCHED_SHIFT ns (include/net/pkt_sched.h; /proc/net/psched tells
 * it).
 */
export const NS_PER_TICK = 64n;
const NS_PER_S = 1_000_000_000n;

const tbfOptions = struct({
  parameters: bytes(TCA_TBF_PARMS),
  burst: u32(TCA_TBF_BURST),
  rate64: u64(TCA_TBF_RATE64),
});

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

/** The options of a discipline "tbf". Kernels since 3.14 take the bucket's size in bytes and need no rate table. */
export function encodeTbf(tbf: Tbf): Buffer {
  const ticks = ticksOf(tbf);
  const qopt = Buffer.alloc(QOPT);
  qopt.writeUInt8(TC_LINKLAYER_ETHERNET, LINKLAYER);
  qopt.writeUInt32LE(Math.min(tbf.rate, U32_MAX), RATE);
  qopt.writeUInt32LE(tbf.limit, LIMIT);
  qopt.writeUInt32LE(ticks > U32_MAX ? U32_MAX : Number(ticks), BUFFER);
  const rate64 = tbf.rate > U32_MAX && { rate64: BigInt(tbf.rate) };
  return encode(tbfOptions, { parameters: qopt, burst: tbf.burst, ...rate64 });
}

/** Throws DecodeError. */
export function decodeTbf(options: Buffer): TbfState {
  const { parameters = '', rate64 } = tbfOptions.get(options);
  const qopt = Buffer.from(parameters);
  if (qopt.length < QOPT) throw new DecodeError('a token bucket without its parameters');
  return {
    rate: Number(rate64 ?? qopt.readUInt32LE(RATE)),
    ticks: qopt.readUInt32LE(BUFFER),
    limit: qopt.readUInt32LE(LIMIT),
  };
}

/**
 * Whether the bucket is as large as wanted, as far as can be told: the kernel computes with some 31 bits of precision.
 */
export function isSameBurst(wanted: Tbf, { ticks }: TbfState): boolean {
  const exact = ticksOf(wanted);
  const off = BigInt.asIntN(32, BigInt(ticks) - exact);
  return (off < 0n ? -off : off) <= (exact >> 24n) + 2n;
}
