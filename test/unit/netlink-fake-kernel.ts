/**
 * A kernel made up, under a NetlinkSocket: it answers each request as the test says, and lets time pass only while it
 * is waited for.
 */
import { constants } from 'node:os';
import { SystemError } from '../../lib/base/errors.ts';
import { bareText, encode, struct } from '../../lib/netlink/codec.ts';
import { decodeMessages, encodeMessage } from '../../lib/netlink/message.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { NetlinkMessage } from '../../lib/netlink/socket.ts';
import type { NetlinkTransport } from '../../lib/netlink/transport.ts';
import {
  NLMSGERR_ATTR_MSG,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
} from '../../lib/netlink/uapi.ts';

/** A message of an answer; the sequence number is the request's unless it says another. */
export interface Part {
  readonly type: number;
  readonly flags?: number;
  readonly seq?: number;
  readonly data: Uint8Array;
}

/** A datagram, or the error that reading gives instead (ENOBUFS). */
export type Arrival = readonly Part[] | 'ENOBUFS';

const extendedAck = struct({ message: bareText(NLMSGERR_ATTR_MSG) });

/** NLMSG_ERROR, with the request's header behind errno, capped as the sockets ask for it. */
export function answer(errno = 0, extack?: string): Part {
  const data = Buffer.alloc(20);
  data.writeInt32LE(-errno, 0);
  if (extack === undefined) return { type: NLMSG_ERROR, flags: NLM_F_CAPPED, data };
  const attributes = encode(extendedAck, { message: extack });
  return {
    type: NLMSG_ERROR,
    flags: NLM_F_CAPPED | NLM_F_ACK_TLVS,
    data: Buffer.concat([data, attributes]),
  };
}

export function done(errno = 0, flags = 0): Part {
  const data = Buffer.alloc(4);
  data.writeInt32LE(-errno, 0);
  return { type: NLMSG_DONE, flags, data };
}

/** What the kernel says of itself to those who listen. */
export function notification(type: number, data: Uint8Array = Buffer.alloc(0)): Part {
  return { type, seq: 0, data };
}

interface Pending {
  readonly at: number;
  readonly arrival: Arrival;
  readonly seq: number;
}

export class FakeKernel implements NetlinkTransport {
  /** Milliseconds. */
  now = 1000;
  closed = false;
  readonly requests: NetlinkMessage[] = [];
  readonly #respond: (request: NetlinkMessage, kernel: FakeKernel) => readonly Arrival[];
  #queue: Pending[] = [];

  constructor(respond: (request: NetlinkMessage, kernel: FakeKernel) => readonly Arrival[]) {
    this.#respond = respond;
  }

  socket(): NetlinkSocket {
    return NetlinkSocket.over(this, () => this.now);
  }

  /** What is to arrive in so many milliseconds without having been asked for. */
  later(milliseconds: number, arrival: Arrival): void {
    this.#queue.push({ at: this.now + milliseconds, arrival, seq: 0 });
  }

  send(bytes: Uint8Array): void {
    for (const request of decodeMessages(Buffer.from(bytes))) {
      this.requests.push(request);
      for (const arrival of this.#respond(request, this))
        this.#queue.push({ at: this.now, arrival, seq: request.seq });
    }
  }

  receive(buffer: Buffer, milliseconds: number, op: string): number | undefined {
    const next = this.#queue.reduce<Pending | undefined>(
      (first, pending) => (first === undefined || pending.at < first.at ? pending : first),
      undefined,
    );
    if (next === undefined || next.at > this.now + milliseconds) {
      this.now += milliseconds;
      return undefined;
    }
    this.now = Math.max(this.now, next.at);
    this.#queue = this.#queue.filter((pending) => pending !== next);
    if (next.arrival === 'ENOBUFS') throw new SystemError(op, constants.errno.ENOBUFS);
    const parts = next.arrival.flatMap((part) =>
      encodeMessage({ flags: 0, seq: next.seq, ...part, data: [part.data] }),
    );
    return Buffer.concat(parts).copy(buffer);
  }

  close(): void {
    this.closed = true;
  }
}
