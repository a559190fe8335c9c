/**
 * Sockets of the namespace that take packets of everybody, as the kernel lists them (linux/inet_diag.h, sock_diag(7)):
 * TCP and SCTP ones that listen, UDP ones that are not connected. Only those on the ports asked for are sent over.
 */
import { isErrno } from '../base/errors.ts';
import { addressFromBytes } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { PROTOCOL_NUMBERS } from '../base/transport.ts';
import type { TransportProtocol } from '../base/transport.ts';
import { DecodeError } from './attributes.ts';
import { bytes, encode, struct, u8 } from './codec.ts';
import { familyNumber } from './ip-field.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET,
  AF_INET6,
  INET_DIAG_BC_S_GE,
  INET_DIAG_BC_S_LE,
  INET_DIAG_REQ_BYTECODE,
  INET_DIAG_SKV6ONLY,
  SOCK_DIAG_BY_FAMILY,
} from './uapi.ts';

export type SocketProtocol = TransportProtocol;

export interface BoundSocket {
  readonly protocol: SocketProtocol;
  /** 0.0.0.0 and :: are every address; one of IPv6 that stands for IPv4 (RFC 4291, 2.5.5.2) is given as that. */
  readonly address: Address;
  readonly port: number;
  /** Of IPv6: takes nothing of IPv4. */
  readonly only6: boolean;
  /** Of the socket's file; the kernel's own sockets have one as well. */
  readonly inode: number;
  /** Of whoever made it. */
  readonly uid: number;
}

export interface PortSpan {
  readonly first: number;
  readonly last: number;
}

/** net/tcp_states.h, which is not among the headers for user space: bits of TCP_CLOSE and TCP_LISTEN. */
const UNCONNECTED = 1 << 7;
const LISTENING = 1 << 10;
const STATES: Readonly<Record<SocketProtocol, number>> = {
  tcp: LISTENING,
  udp: UNCONNECTED,
  sctp: LISTENING,
};

/** struct inet_diag_req_v2: five numbers in eight bytes, and a struct inet_diag_sockid, of which nothing is asked. */
const REQUEST_BYTES = 56;
/** struct inet_diag_msg */
const MESSAGE_BYTES = 72;
const PORT = 4;
const SOURCE = 8;
const UID = 64;
const INODE = 68;

/** "Source port at least `first`, at most `last`": struct inet_diag_bc_op, an operation and its operand in turn. */
function filterOf({ first, last }: PortSpan): Buffer {
  const program = Buffer.alloc(16);
  const operation = (at: number, code: number, operand: number): void => {
    program.writeUInt8(code, at);
    // Where it holds, on behind the operand; where not, to four bytes behind the end, which is what "no" means.
    program.writeUInt8(8, at + 1);
    program.writeUInt16LE(program.length - at + 4, at + 2);
    program.writeUInt16LE(operand, at + 6);
  };
  operation(0, INET_DIAG_BC_S_GE, first);
  operation(8, INET_DIAG_BC_S_LE, last);
  return program;
}

const filtered = struct({ filter: bytes(INET_DIAG_REQ_BYTECODE) });

function listRequest(family: Family, protocol: SocketProtocol, ports: PortSpan): NetlinkRequest {
  const head = Buffer.alloc(REQUEST_BYTES);
  head.writeUInt8(familyNumber(family), 0);
  head.writeUInt8(PROTOCOL_NUMBERS[protocol], 1);
  head.writeUInt32LE(STATES[protocol], 4);
  const data = [head, encode(filtered, { filter: filterOf(ports) })];
  return { type: SOCK_DIAG_BY_FAMILY, data, op: `list ${protocol} sockets` };
}

const attributes = struct({ only6: u8(INET_DIAG_SKV6ONLY) });

const MAPPED_BYTES = Buffer.from('00000000000000000000ffff', 'hex');

/** Reads a struct inet_diag_msg and what follows; throws DecodeError. */
export function decodeSocket(protocol: SocketProtocol, { data }: Pick<NetlinkMessage, 'data'>): BoundSocket {
  if (data.length < MESSAGE_BYTES) throw new DecodeError(`a socket of ${data.length} bytes`);
  const family = data.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6)
    throw new DecodeError(`a socket of the address family ${family}`);
  const source = data.subarray(SOURCE, SOURCE + (family === AF_INET ? 4 : 16));
  const mapped = family === AF_INET6 && source.subarray(0, 12).equals(MAPPED_BYTES);
  return {
    protocol,
    address: addressFromBytes(mapped ? source.subarray(12) : source),
    port: data.readUInt16BE(PORT),
    only6: attributes.get(data.subarray(MESSAGE_BYTES)).only6 === 1,
    inode: data.readUInt32LE(INODE),
    uid: data.readUInt32LE(UID),
  };
}

/**
 * Those of a protocol, both families, on ports of a span; undefined where the kernel cannot list them (no tcp_diag,
 * udp_diag or sctp_diag), or has no such protocol. Throws SystemError.
 */
export function listSockets(
  socket: NetlinkSocket,
  protocol: SocketProtocol,
  ports: PortSpan,
): BoundSocket[] | undefined {
  try {
    return ([4, 6] as const).flatMap((family) =>
      socket.dump(listRequest(family, protocol, ports)).map((message) => decodeSocket(protocol, message)),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EPROTONOSUPPORT', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}
