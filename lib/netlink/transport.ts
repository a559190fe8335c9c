/** What a NetlinkSocket speaks through: a socket of the kernel's. Tests put a made-up kernel in its place. */
import { closeSync } from 'node:fs';
import { SystemError, isErrno } from '../base/errors.ts';
import {
  AF_NETLINK,
  SOCK_RAW,
  bind,
  receive,
  send,
  setsockoptInt,
  socket,
  waitReadable,
} from '../system/syscall.ts';
import {
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  SOL_SOCKET,
  SO_RCVBUFFORCE,
  SO_SNDBUFFORCE,
} from './uapi.ts';

/** include/linux/socket.h, which is not among the headers for user space. */
export const SOL_NETLINK = 270;
const PROTOCOLS = {
  route: NETLINK_ROUTE,
  netfilter: NETLINK_NETFILTER,
  sock_diag: NETLINK_SOCK_DIAG,
} as const;
export type NetlinkProtocol = keyof typeof PROTOCOLS;

/** Room for every answer to one pipelined send, and for notifications between two reads. */
const RECEIVE_BUFFER = 4 << 20;

export interface NetlinkTransport {
  /** One datagram of whole messages; throws SystemError. */
  send(bytes: Uint8Array, op: string): void;
  /**
   * The next datagram into `buffer`, waited for at most `milliseconds`: its whole length, over the buffer's when it was
   * cut, or undefined when none came. Throws SystemError; ENOBUFS once when the kernel had more to say than there was
   * room for.
   */
  receive(buffer: Buffer, milliseconds: number, op: string): number | undefined;
  close(): void;
}

/** Beyond rmem_max only with CAP_NET_ADMIN in the first user namespace; rootless the default size has to do. */
function setBufferSize(fd: number, option: number, bytes: number): void {
  try {
    setsockoptInt(fd, SOL_SOCKET, option, bytes, 'enlarge a socket buffer');
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

function configure(fd: number, protocol: NetlinkProtocol, groups: readonly number[], op: string): void {
  const set = (option: number, value: number): void => setsockoptInt(fd, SOL_NETLINK, option, value, op);
  setBufferSize(fd, SO_RCVBUFFORCE, RECEIVE_BUFFER);
  set(NETLINK_EXT_ACK, 1);
  set(NETLINK_CAP_ACK, 1);
  if (protocol === 'route') set(NETLINK_GET_STRICT_CHK, 1);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  bind(fd, address, op);
  for (const group of groups) set(NETLINK_ADD_MEMBERSHIP, group);
}

/** A socket in the network namespace of the calling thread, for good. */
export class KernelTransport implements NetlinkTransport {
  readonly #fd: number;

  constructor(protocol: NetlinkProtocol, groups: readonly number[]) {
    const op = `open a ${protocol} netlink socket`;
    this.#fd = socket(AF_NETLINK, SOCK_RAW, PROTOCOLS[protocol], op);
    try {
      configure(this.#fd, protocol, groups, op);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

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

  receive(buffer: Buffer, milliseconds: number, op: string): number | undefined {
    const length = receive(this.#fd, buffer, op);
    if (length !== undefined || milliseconds <= 0) return length;
    return waitReadable(this.#fd, milliseconds, op) ? receive(this.#fd, buffer, op) : undefined;
  }
}
