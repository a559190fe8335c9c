/**
 * Transactions (linux/netfilter/nfnetlink.h NFNL_MSG_BATCH_BEGIN): all messages between begin and end take effect at
 * once, or none does. The kernel goes through the whole batch even when a message fails, so every failure is reported.
 */
import { constants } from 'node:os';
import { SystemError } from '../base/errors.ts';
import { NLM_F_ACK, NLM_F_REQUEST, decodeAnswer } from '../netlink/socket.ts';
import type { NetlinkMessage, NetlinkSocket } from '../netlink/socket.ts';
import { Writer } from '../netlink/writer.ts';
import { NFNL_SUBSYS_NFTABLES, NFPROTO_UNSPEC, messageType, putMessage } from './message.ts';
import type { BatchMessage } from './message.ts';
import { refuseOwned } from './owned.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NLMSG_ERROR = 2;
const ANSWER_DEADLINE_MS = 5000;

/**
 * include/linux/errno.h: the ruleset is no longer of the generation the batch was made for. Node has no name for it.
 */
const ERESTART = 85;

/** One refused message; `index` is -1 when the batch as a whole was refused. */
export interface BatchFailure {
  readonly index: number;
  readonly error: SystemError;
}

function envelope(out: Writer, type: number, flags: number, seq: number, body: () => void): void {
  const at = out.length;
  out.u32(0);
  out.u16(type);
  out.u16(NLM_F_REQUEST | flags);
  out.u32(seq);
  out.u32(0);
  body();
  out.patch(at, out.length - at);
}

function putFrame(out: Writer, type: number, seq: number, generation?: number): void {
  envelope(out, type, 0, seq, () => {
    out.u8(NFPROTO_UNSPEC);
    out.u8(0);
    out.u16be(NFNL_SUBSYS_NFTABLES);
    if (generation === undefined) return;
    const at = out.open(NFNL_BATCH_GENID);
    out.u32be(generation);
    out.close(at);
  });
}

/**
 * The batch as bytes; message `i` carries the sequence number `firstSeq + 1 + i`, and the last one asks to be
 * acknowledged. With a `generation`, the kernel refuses the batch (ERESTART) once the ruleset is no longer in that
 * state.
 */
export function encodeBatch(
  messages: readonly BatchMessage[],
  firstSeq: number,
  generation?: number,
): Buffer {
  const out = new Writer();
  putFrame(out, NFNL_MSG_BATCH_BEGIN, firstSeq, generation);
  messages.forEach((message, index) => {
    const flags = (message.flags ?? 0) | (index === messages.length - 1 ? NLM_F_ACK : 0);
    envelope(out, messageType(message.name), flags, firstSeq + 1 + index, () => putMessage(out, message));
  });
  putFrame(out, NFNL_MSG_BATCH_END, firstSeq + 1 + messages.length);
  return out.written;
}

/** Everything the kernel answered; it has answered all when sendmsg returns. */
function answers(nf: NetlinkSocket, op: string): NetlinkMessage[] {
  const all = nf.receive(ANSWER_DEADLINE_MS, op);
  if (all === undefined) throw new SystemError(op, constants.errno.ETIMEDOUT);
  for (;;) {
    const more = nf.receive(0, op);
    if (more === undefined) return all;
    all.push(...more);
  }
}

/**
 * Applies all messages or none; the failures, none when it was applied. Throws SystemError when it cannot be sent, and
 * NetmoorError('name-taken') when another program has the table for itself.
 */
export function tryCommit(
  nf: NetlinkSocket,
  messages: readonly BatchMessage[],
  op: string,
  generation?: number,
): BatchFailure[] {
  if (messages.length === 0) return [];
  const firstSeq = nf.nextSeq();
  for (let i = 0; i < messages.length + 1; i++) nf.nextSeq();
  nf.send(encodeBatch(messages, firstSeq, generation), op);
  const failures: BatchFailure[] = [];
  for (const message of answers(nf, op)) {
    const index = message.seq - firstSeq - 1;
    if (message.type !== NLMSG_ERROR || index < -1 || index >= messages.length) continue;
    const { errno, extack } = decodeAnswer(message);
    if (errno !== 0) failures.push({ index, error: new SystemError(op, errno, { extack }) });
  }
  for (const { index, error } of failures) {
    const message = messages[index];
    if (message && error.code === 'EPERM') refuseOwned(nf, message, error);
  }
  return failures;
}

/**
 * The first failure with one of these errno names, or, by 'ERESTART', of a batch that came too late for its generation.
 */
export function failedWith(failures: readonly BatchFailure[], ...codes: string[]): SystemError | undefined {
  const late = codes.includes('ERESTART');
  return failures.find(({ error }) => codes.includes(error.code) || (late && error.errno === ERESTART))
    ?.error;
}

/** Applies all messages or throws the first failure; errors as of tryCommit(). */
export function commit(nf: NetlinkSocket, messages: readonly BatchMessage[], op: string): void {
  const [failure] = tryCommit(nf, messages, op);
  if (failure) throw failure.error;
}
