/**
 * A synchronous netlink socket (netlink(7), linux/netlink.h).
 *
 * rtnetlink and nfnetlink do their work inside sendmsg(2) and have queued every answer when it returns, so there is
 * nothing to wait for: send, then read until each request is answered. Messages are pipelined: many in one datagram,
 * each with its own acknowledgement. Extended acknowledgements are on, so that an error carries the kernel's own words.
 */
import { constants } from 'node:os';
import { NetmoorError, SystemError, isErrno } from '../base/errors.ts';
import { decodeAnswer, decodeDone, decodeMessages, encodeMessage } from './message.ts';
import type { NetlinkMessage } from './message.ts';
import { KernelTransport } from './transport.ts';
import type { NetlinkProtocol, NetlinkTransport } from './transport.ts';
import {
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
} from './uapi.ts';

export { decodeAnswer } from './message.ts';
export type { NetlinkAnswer, NetlinkMessage } from './message.ts';
export {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_ECHO,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from './uapi.ts';

/** The kernel's largest datagram is 32 KiB; a dump of one object with very many attributes may exceed a page. */
const DATAGRAM = 1 << 16;
/** The kernel answers before sendmsg returns; this bounds the case that it does not. */
const ANSWER_DEADLINE_MS = 5000;
/** How long, and how often, what keeps changing is listed again. */
const DUMP_PATIENCE_MS = 2000;
const DUMP_TRIES = 256;
const GLIMPSES = 3;

/** More than a socket has room for (transport.ts): at least 700 bytes of memory each. */
const HEARD_DATAGRAMS = 1 << 14;
/** What is kept of it when some was lost. */
const KEPT_MESSAGES = 1 << 12;

/**
 * Where the sequence numbers of our nfnetlink messages begin. The kernel repeats them in what it tells of the changes
 * that they made (struct nlmsghdr of a notification), so that whoever listens knows netmoor's own from others': those
 * count from 0 or 1 (libnftables), or from the seconds since 1970, which come here in 2083.
 */
const OWN_FIRST_SEQ = 0xd600_0000;
const OWN_SEQS = 1 << 24;

/** Whether a change of the ruleset, by the sequence number in what the kernel tells of it, was made by netmoor. */
export function isOwnChange(seq: number): boolean {
  return seq >= OWN_FIRST_SEQ && seq < OWN_FIRST_SEQ + OWN_SEQS;
}

export interface NetlinkRequest {
  readonly type: number;
  readonly flags?: number;
  readonly data: Uint8Array | Uint8Array[];
  /** What is being asked, in words, for the error. */
  readonly op: string;
}

export interface RequestFailure {
  /** Which of the requests. */
  readonly index: number;
  readonly error: SystemError;
}

/** Milliseconds of a clock that never goes back. */
export type Clock = () => number;

export class NetlinkSocket {
  readonly #transport: NetlinkTransport;
  readonly #now: Clock;
  readonly #buffer = Buffer.allocUnsafe(DATAGRAM);
  #seq: number;
  /** Notifications came while an answer was being read, or there was no room for them. */
  #told = false;
  /** What awaitMessages() read behind a loss, and whether there may have been another one meanwhile. */
  #kept: NetlinkMessage[] = [];
  #lost = false;

  private constructor(transport: NetlinkTransport, now: Clock, firstSeq = 1) {
    this.#transport = transport;
    this.#now = now;
    this.#seq = firstSeq;
  }

  /** Opens a socket in the network namespace of the calling thread, for good; `groups` are RTNLGRP_* to listen to. */
  static open(protocol: NetlinkProtocol, options: { groups?: readonly number[] } = {}): NetlinkSocket {
    const transport = new KernelTransport(protocol, options.groups ?? []);
    const firstSeq = protocol === 'netfilter' ? OWN_FIRST_SEQ : 1;
    return new NetlinkSocket(transport, () => performance.now(), firstSeq);
  }

  /** A socket that speaks through `transport`, and closes it in the end. */
  static over(transport: NetlinkTransport, now: Clock): NetlinkSocket {
    return new NetlinkSocket(transport, now);
  }

  close(): void {
    this.#transport.close();
  }

  /** A sequence number not used before on this socket. */
  nextSeq(): number {
    return this.#seq++;
  }

  /** Sends raw bytes: whole netlink messages, whose sequence numbers the caller took from nextSeq(). */
  send(bytes: Uint8Array, op: string): void {
    this.#transport.send(bytes, op);
  }

  /** The messages of the next datagram, or undefined when none came within `milliseconds`. */
  receive(milliseconds: number, op: string): NetlinkMessage[] | undefined {
    const length = this.#transport.receive(this.#buffer, milliseconds, op);
    if (length === undefined) return undefined;
    if (length > this.#buffer.length) throw new SystemError(op, constants.errno.EMSGSIZE);
    // The messages outlive this call, the buffer does not.
    return decodeMessages(Buffer.from(this.#buffer.subarray(0, length)));
  }

  /**
   * Waits until the kernel has told something, also something that was not kept: while an answer was read, or because
   * it was more than there was room for (ENOBUFS). What it tells of is to be asked again. False when `milliseconds`
   * passed first.
   */
  awaitChange(milliseconds: number, op: string): boolean {
    const told = this.#told || this.#hear(milliseconds, op);
    this.#told = false;
    // What came together is asked for once. Bounded, as more may come all the time. The limit is compared whether
    // something was told or not: what a comparison has seen is part of the code cache, which is to be the same each
    // time.
    for (let room = told ? 1024 : 0; room > 0; room--) if (!this.#hear(0, op)) break;
    return told;
  }

  /**
   * What the kernel tells, for a socket that does nothing but listen: all that has come, or comes first within
   * `milliseconds`; undefined when nothing did. "lost" when it was more than there was room for (ENOBUFS): what it
   * tells of is to be asked again, and what could be kept comes with the next call.
   */
  awaitMessages(milliseconds: number, op: string): readonly NetlinkMessage[] | 'lost' | undefined {
    const messages = this.#kept;
    let lost = this.#lost;
    let more = true;
    // After a loss the socket takes in nothing, and tells of no further loss, until it is empty (netlink_overrun).
    // Who is told before that, and asks again, would miss what happens next.
    for (let datagrams = 0; more && datagrams < HEARD_DATAGRAMS; datagrams++) {
      try {
        const heard = this.receive(messages.length > 0 || lost ? 0 : milliseconds, op);
        more = heard !== undefined;
        messages.push(...(heard ?? []));
      } catch (error) {
        if (!isErrno(error, 'ENOBUFS')) throw error;
        if (!lost) datagrams = 0;
        lost = true;
      }
    }
    this.#lost = lost && more;
    this.#kept = lost ? messages.slice(-KEPT_MESSAGES) : [];
    if (lost) return 'lost';
    return messages.length > 0 ? messages : undefined;
  }

  #hear(milliseconds: number, op: string): boolean {
    try {
      return this.receive(milliseconds, op) !== undefined;
    } catch (error) {
      if (isErrno(error, 'ENOBUFS')) return true;
      throw error;
    }
  }

  /**
   * One request, acknowledged; the messages it was answered with (those of NLM_F_ECHO or a GET). Throws SystemError.
   */
  request(request: NetlinkRequest): NetlinkMessage[] {
    return this.requestAll([request])[0] ?? [];
  }

  /**
   * The message that a GET of one object is answered with. No acknowledgement is asked for, which would say only that
   * there is nothing more. Over a socket that does not listen: what it hears may bear any sequence number. Throws
   * SystemError.
   */
  ask(request: NetlinkRequest): NetlinkMessage {
    const seq = this.#seq;
    this.send(Buffer.concat(this.#encode(request, NLM_F_REQUEST)), request.op);
    let lost: unknown;
    let found: NetlinkMessage | undefined;
    while (found === undefined) {
      const { messages, overrun } = this.#answers(request.op, lost);
      lost ??= overrun;
      for (const message of messages) {
        if (message.seq === seq) found = message;
        else this.#told = true;
      }
    }
    if (found.type !== NLMSG_ERROR) return found;
    const { errno, extack } = decodeAnswer(found);
    throw new SystemError(request.op, errno, { extack });
  }

  /**
   * Requests in one datagram; the kernel goes through all of them even when one fails. Throws the first failure, but
   * for those of an errno that is `fine`: what is to be there is there already, what is to go is gone.
   */
  requestAll(requests: readonly NetlinkRequest[], ...fine: readonly string[]): NetlinkMessage[][] {
    const { replies, failures } = this.exchange(requests);
    const failure = failures.find(({ error }) => !isErrno(error, ...fine));
    if (failure) throw failure.error;
    return replies;
  }

  /** Like requestAll, but failures are returned, each with the index of its request. */
  exchange(requests: readonly NetlinkRequest[]): {
    replies: NetlinkMessage[][];
    failures: RequestFailure[];
  } {
    if (requests.length === 0) return { replies: [], failures: [] };
    const first = this.#seq;
    const parts = requests.flatMap((request) => this.#encode(request, NLM_F_REQUEST | NLM_F_ACK));
    const op = requests[0]?.op ?? '';
    this.send(Buffer.concat(parts), op);
    const replies: NetlinkMessage[][] = requests.map(() => []);
    const failures: RequestFailure[] = [];
    const open = new Set(requests.keys());
    let lost: unknown;
    while (open.size > 0) {
      // Once some were lost, those that were not are queued already.
      const { messages, overrun } = this.#answers(op, lost);
      lost ??= overrun;
      for (const message of messages) {
        const index = message.seq - first;
        const request = requests[index];
        if (request === undefined) {
          this.#told = true;
        } else if (message.type === NLMSG_ERROR) {
          open.delete(index);
          const { errno, extack } = decodeAnswer(message);
          if (errno !== 0) failures.push({ index, error: new SystemError(request.op, errno, { extack }) });
        } else replies[index]?.push(message);
      }
    }
    return { replies, failures };
  }

  /**
   * Everything a dump request lists, at one moment: asked again when the kernel says that it changed meanwhile
   * (NLM_F_DUMP_INTR). Throws SystemError, or NetmoorError('try-again') when it does not come to rest.
   */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    let deadline: number | undefined;
    for (let tries = 1; ; tries++) {
      const { messages, interrupted } = this.#dumpOnce(request);
      if (!interrupted) return messages;
      deadline ??= this.#now() + DUMP_PATIENCE_MS;
      if (tries < DUMP_TRIES && this.#now() < deadline) continue;
      throw new NetmoorError(
        'try-again',
        `${request.op}: the list changed while it was read, ${tries} times in a row`,
        'try again when less is being created and removed on this host',
      );
    }
  }

  /**
   * What a dump request lists, for where somebody who is not trusted may keep changing it, and nobody is to wait for
   * him: all that one dump saw, or, where each was interrupted, a few of them together. What stays as it is is among
   * it: the kernel goes on behind the last one listed. The same may be listed more than once. Throws SystemError.
   */
  glimpse(request: NetlinkRequest): NetlinkMessage[] {
    const seen: NetlinkMessage[] = [];
    for (let tries = 1; tries <= GLIMPSES; tries++) {
      const { messages, interrupted } = this.#dumpOnce(request);
      if (!interrupted) return messages;
      seen.push(...messages);
    }
    return seen;
  }

  #dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
    const seq = this.#seq;
    this.send(Buffer.concat(this.#encode(request, NLM_F_REQUEST | NLM_F_DUMP)), request.op);
    const found: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      const { messages, overrun } = this.#answers(request.op, undefined);
      // A dump is read to its end in any case: the kernel begins no other before (EBUSY).
      if (overrun !== undefined) interrupted = true;
      for (const message of messages) {
        if (message.seq !== seq) {
          this.#told = true;
          continue;
        }
        if (message.flags & NLM_F_DUMP_INTR || message.type === NLMSG_OVERRUN) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const { errno, extack } = (message.type === NLMSG_DONE ? decodeDone : decodeAnswer)(message);
          if (errno !== 0) throw new SystemError(request.op, errno, { extack });
          return { messages: found, interrupted };
        }
        if (message.type !== NLMSG_NOOP && message.type !== NLMSG_OVERRUN) found.push(message);
      }
    }
  }

  #encode({ type, flags = 0, data }: NetlinkRequest, basic: number): Uint8Array[] {
    return encodeMessage({ type, flags: basic | flags, seq: this.nextSeq(), data });
  }

  /**
   * The next datagram of answers; none, and the error, when the kernel had no room for some (ENOBUFS). With `lost`,
   * such an error of before, it throws that when nothing is left.
   */
  #answers(op: string, lost: unknown): { messages: NetlinkMessage[]; overrun?: unknown } {
    try {
      const messages = this.receive(lost === undefined ? ANSWER_DEADLINE_MS : 0, op);
      if (messages !== undefined) return { messages };
    } catch (error) {
      if (!isErrno(error, 'ENOBUFS')) throw error;
      this.#told = true;
      return { messages: [], overrun: error };
    }
    throw lost ?? new SystemError(op, constants.errno.ETIMEDOUT);
  }
}
