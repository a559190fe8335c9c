/**
 * A synchronous netlink socket (netlink(7), linux/netlink.h).
 *
 * rtnetlink and nfnetlink do their work inside sendmsg(2) and have queued every answer when it returns, so there is nothing
 * to wait for: send, then read until each request is answered. Messages are pipelined: many in one datagram, each with its
 * own acknowledgement. Extended acknowledgements are on, so that an error carries the kernel's own words.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { formatMessage, parseMessages } from './structs.ts';
import { SystemError, isErrno } from '../base/errors.ts';
import {
  AF_NETLINK,
  bind,
  receive,
  send,
  setsockopt,
  socket,
  SOCK_RAW,
  waitReadable,
} from '../system/syscall.ts';
import { Attributes } from './attributes.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_SOCKET = 1;
const PROTOCOLS = { route: 0, netfilter: 12 } as const;

/** Room for every answer to one pipelined send, and for notifications between two reads. */
const RECEIVE_BUFFER = 4 << 20;
/** The kernel's largest datagram is 32 KiB; a dump of one object with very many attributes may exceed a page. */
const DATAGRAM = 1 << 16;
/** The kernel answers before sendmsg returns; this bounds the case that it does not. */
const ANSWER_DEADLINE_MS = 5000;
const DUMP_RETRIES = 8;

export interface NetlinkRequest {
  readonly type: number;
  readonly flags?: number;
  readonly data: Uint8Array | Uint8Array[];
  /** What is being asked, in words, for the error. */
  readonly op: string;
}

/** A received message; `data` is what follows the header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly data: Buffer;
}

/** An error or acknowledgement: errno positive, 0 for success. */
export interface NetlinkAnswer {
  readonly seq: number;
  readonly errno: number;
  readonly extack: string | undefined;
}

function on(): Buffer {
  return Buffer.from([1, 0, 0, 0]);
}

/** struct nlmsgerr, with the extended-ack attributes behind the echoed message (or behind its header, when that was capped). */
export function decodeAnswer(message: NetlinkMessage): NetlinkAnswer {
  const errno = -message.data.readInt32LE(0);
  let extack: string | undefined;
  if (message.flags & NLM_F_ACK_TLVS) {
    const echoed = message.flags & NLM_F_CAPPED ? 16 : message.data.readUInt32LE(4);
    extack = new Attributes(message.data.subarray(4 + ((echoed + 3) & ~3))).string(NLMSGERR_ATTR_MSG);
  }
  return { seq: message.seq, errno, extack };
}

export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(DATAGRAM);
  #seq = 1;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens a socket in the network namespace of the calling thread, for good; `groups` are RTNLGRP_* to listen to. */
  static open(protocol: keyof typeof PROTOCOLS, options: { groups?: readonly number[] } = {}): NetlinkSocket {
    const op = `open a ${protocol} netlink socket`;
    const fd = socket(AF_NETLINK, SOCK_RAW, PROTOCOLS[protocol], op);
    try {
      setBufferSize(fd, SO_RCVBUFFORCE, RECEIVE_BUFFER);
      setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on(), op);
      setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on(), op);
      if (protocol === 'route') setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on(), op);
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK, 0);
      bind(fd, address, op);
      for (const group of options.groups ?? []) {
        const value = Buffer.alloc(4);
        value.writeUInt32LE(group);
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value, op);
      }
      return new NetlinkSocket(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** A sequence number not used before on this socket. */
  nextSeq(): number {
    return this.#seq++;
  }

  /** Sends raw bytes: whole netlink messages, whose sequence numbers the caller took from nextSeq(). */
  send(bytes: Uint8Array, op: string): void {
    try {
      send(this.#fd, bytes, op);
    } catch (error) {
      // A transaction of some megabytes (a published range of ports) exceeds the default send buffer.
      if (!isErrno(error, 'EMSGSIZE')) throw error;
      setBufferSize(this.#fd, SO_SNDBUFFORCE, bytes.length);
      send(this.#fd, bytes, op);
    }
  }

  /** The messages of the next datagram, or undefined when none came within `milliseconds`. */
  receive(milliseconds: number, op: string): NetlinkMessage[] | undefined {
    let length = receive(this.#fd, this.#buffer, op);
    if (length === undefined) {
      if (milliseconds <= 0 || !waitReadable(this.#fd, milliseconds, op)) return undefined;
      length = receive(this.#fd, this.#buffer, op);
      if (length === undefined) return undefined;
    }
    if (length > this.#buffer.length) throw new SystemError(op, constants.errno.EMSGSIZE);
    // The messages outlive this call, the buffer does not.
    return parseMessages(Buffer.from(this.#buffer.subarray(0, length))) as NetlinkMessage[];
  }

  /** One request, acknowledged; the messages it was answered with (those of NLM_F_ECHO or a GET). Throws SystemError. */
  request(request: NetlinkRequest): NetlinkMessage[] {
    return this.requestAll([request])[0] ?? [];
  }

  /** Requests in one datagram; the kernel goes through all of them even when one fails. Throws the first failure. */
  requestAll(requests: readonly NetlinkRequest[]): NetlinkMessage[][] {
    const { replies, failures } = this.exchange(requests);
    if (failures[0]) throw failures[0].error;
    return replies;
  }

  /** Like requestAll, but failures are returned, each with the index of its request. */
  exchange(requests: readonly NetlinkRequest[]): {
    replies: NetlinkMessage[][];
    failures: { index: number; error: SystemError }[];
  } {
    if (requests.length === 0) return { replies: [], failures: [] };
    const first = this.#seq;
    const parts = requests.flatMap((request) => this.#encode(request, NLM_F_REQUEST | NLM_F_ACK));
    const op = requests[0]?.op ?? '';
    this.send(Buffer.concat(parts), op);
    const replies: NetlinkMessage[][] = requests.map(() => []);
    const failures: { index: number; error: SystemError }[] = [];
    let open = requests.length;
    while (open > 0) {
      for (const message of this.#await(op)) {
        const index = message.seq - first;
        if (index < 0 || index >= requests.length) continue;
        if (message.type !== NLMSG_ERROR) {
          replies[index]?.push(message);
          continue;
        }
        open--;
        const { errno, extack } = decodeAnswer(message);
        if (errno !== 0)
          failures.push({ index, error: new SystemError(requests[index]?.op ?? op, errno, { extack }) });
      }
    }
    return { replies, failures };
  }

  /** Everything a dump request lists; asked again when the kernel says that it changed meanwhile (NLM_F_DUMP_INTR). */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 0; ; attempt++) {
      const { messages, interrupted } = this.#dumpOnce(request);
      if (!interrupted || attempt >= DUMP_RETRIES) return messages;
    }
  }

  #dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
    const seq = this.#seq;
    this.send(Buffer.concat(this.#encode(request, NLM_F_REQUEST | NLM_F_DUMP)), request.op);
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#await(request.op)) {
        if (message.seq !== seq) continue;
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const errno = message.data.length >= 4 ? -message.data.readInt32LE(0) : 0;
          if (errno !== 0) {
            const extack = message.type === NLMSG_ERROR ? decodeAnswer(message).extack : undefined;
            throw new SystemError(request.op, errno, { extack });
          }
          return { messages, interrupted };
        }
        messages.push(message);
      }
    }
  }

  #encode(request: NetlinkRequest, flags: number): Uint8Array[] {
    const message = formatMessage({
      type: request.type,
      flags: flags | (request.flags ?? 0),
      seq: this.nextSeq(),
      port: 0,
      data: request.data,
    });
    const length = message.reduce((sum, part) => sum + part.length, 0);
    return length % 4 === 0 ? message : [...message, Buffer.alloc(4 - (length % 4))];
  }

  #await(op: string): NetlinkMessage[] {
    const messages = this.receive(ANSWER_DEADLINE_MS, op);
    if (messages === undefined) throw new SystemError(op, constants.errno.ETIMEDOUT);
    return messages;
  }
}

/** Beyond rmem_max only with CAP_NET_ADMIN in the first user namespace; rootless the default size has to do. */
function setBufferSize(fd: number, option: number, bytes: number): void {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes);
  try {
    setsockopt(fd, SOL_SOCKET, option, size, 'enlarge a socket buffer');
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}
