/** UDP through one interface (udp(7)), in the calling thread's namespace; sockets that do not block. */
import { closeSync } from 'node:fs';
import { addressBytes, addressFromBytes, formatAddress } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { bind, receiveFrom, sendTo, setsockopt, setsockoptInt, socket } from './syscall.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_BINDTODEVICE = 25;
const MSG_DONTWAIT = 0x40;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const RECEIVE_BUFFER = 64 * 1024;
const SOCKADDR_IN6_BYTES = 28;

/** struct sockaddr_in or sockaddr_in6; `scope`: the ifindex that a link-local IPv6 address means. */
export function sockaddr({ address, port }: Endpoint, scope = 0): Buffer {
  const v4 = address.family === 4;
  const bytes = Buffer.alloc(v4 ? 16 : SOCKADDR_IN6_BYTES);
  bytes.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  addressBytes(address).copy(bytes, v4 ? 4 : 8);
  if (!v4) bytes.writeUInt32LE(scope, 24);
  return bytes;
}

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

export interface UdpSocketOptions {
  readonly ifname: string;
  readonly local: Endpoint;
}

/** Throws SystemError; EADDRINUSE when somebody in the namespace has the port. */
export function openUdpSocket({ ifname, local }: UdpSocketOptions): number {
  const { family }: { family: Family } = local.address;
  const op = `open a UDP socket on ${ifname}`;
  const fd = socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0, op);
  try {
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${ifname}\0`), op);
    setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1, op);
    setsockoptInt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER, op);
    if (family === 6) setsockoptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, op);
    bind(fd, sockaddr(local), op);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** `scope`: the ifindex, for link-local and multicast addresses. Throws SystemError. */
export function sendUdp(fd: number, data: Uint8Array, to: Endpoint, scope: number, op: string): void {
  sendTo(fd, data, MSG_DONTWAIT, sockaddr(to, scope), op);
}

export interface Datagram {
  readonly data: Buffer;
  /** In text form, without a zone. */
  readonly from: string;
  readonly port: number;
}

const LARGEST = 65_535;

/** The next datagram to an IPv6 socket; undefined when nothing is waiting. */
export function receiveUdp6(fd: number, op: string): Datagram | undefined {
  const buffer = Buffer.allocUnsafe(LARGEST);
  const source = Buffer.alloc(SOCKADDR_IN6_BYTES);
  const length = receiveFrom(fd, buffer, source, op);
  if (length === undefined) return undefined;
  return {
    data: Buffer.from(buffer.subarray(0, Math.min(length, LARGEST))),
    from: formatAddress(addressFromBytes(source.subarray(8, 24))),
    port: source.readUInt16BE(2),
  };
}
