/**
 * Whole frames of one link (packet(7)): for interfaces without an address, and whatever the packet filter and rp_filter
 * of their namespace say. A filter in the kernel (classic BPF, linux/filter.h) lets through nothing but what is asked
 * for.
 */
import { closeSync } from 'node:fs';
import { Libc } from './native.ts';
import { SOCK_RAW, bind, sendTo, setsockopt, setsockoptInt, socket } from './syscall.ts';

export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;
export const ETHERNET_HEADER = 14;

const AF_PACKET = 17;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const OP = 'open a packet socket';

/** struct sock_filter: code, where to jump when true and when false, k. */
export type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, k: number];

const LDH_ABS = 0x28;
const LDB_ABS = 0x30;
const LDH_IND = 0x48;
const LDXB_MSH = 0xb1;
const JEQ = 0x15;
const JSET = 0x45;
const RET = 0x06;
const WHOLE = 0x40000;
const IPPROTO_UDP = 17;
const FRAGMENT_OFFSET = 0x1fff;

/** IPv4, UDP, the first fragment, to this port. */
export function udp4To(port: number): readonly Instruction[] {
  const ip = ETHERNET_HEADER;
  return [
    [LDB_ABS, 0, 0, ip + 9],
    [JEQ, 0, 6, IPPROTO_UDP],
    [LDH_ABS, 0, 0, ip + 6],
    [JSET, 4, 0, FRAGMENT_OFFSET],
    [LDXB_MSH, 0, 0, ip],
    [LDH_IND, 0, 0, ip + 2],
    [JEQ, 0, 1, port],
    [RET, 0, 0, WHOLE],
    [RET, 0, 0, 0],
  ];
}

/** IPv6 without extension headers, ICMPv6 of this type. */
export function icmp6Of(type: number): readonly Instruction[] {
  const ip = ETHERNET_HEADER;
  return [
    [LDB_ABS, 0, 0, ip + 6],
    [JEQ, 0, 3, 58],
    [LDB_ABS, 0, 0, ip + 40],
    [JEQ, 0, 1, type],
    [RET, 0, 0, WHOLE],
    [RET, 0, 0, 0],
  ];
}

/** Lets through what the filter does, from now on. Throws SystemError. */
export function attachFilter(fd: number, filter: readonly Instruction[]): void {
  const code = Buffer.alloc(filter.length * 8);
  for (const [index, [operation, whenTrue, whenFalse, k]] of filter.entries()) {
    code.writeUInt16LE(operation, index * 8);
    code.writeUInt8(whenTrue, index * 8 + 2);
    code.writeUInt8(whenFalse, index * 8 + 3);
    code.writeUInt32LE(k, index * 8 + 4);
  }
  // struct sock_fprog: its length, padding, where it is.
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length, 0);
  program.writeBigUInt64LE(Libc.get().addressOf(code), 8);
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, OP);
}

export interface PacketSocketOptions {
  /** ifindex */
  readonly index: number;
  /** ETH_P_*; frames that are sent are not seen. */
  readonly protocol: number;
  readonly filter?: readonly Instruction[];
  /** Bytes of frames that may wait; the kernel doubles it. */
  readonly receiveBuffer?: number;
}

const RECEIVE_BUFFER = 64 * 1024;

/**
 * Opens a socket in the calling thread's namespace that does not block. Its owner closes it, in another thread where it
 * matters: closing waits for RCU, some 20 ms. Throws SystemError.
 */
export function openPacketSocket({ index, protocol, filter, receiveBuffer }: PacketSocketOptions): number {
  // With protocol 0 nothing is received before the filter stands, and the socket is bound.
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0, OP);
  try {
    if (filter) attachFilter(fd, filter);
    setsockoptInt(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer ?? RECEIVE_BUFFER, OP);
    // struct sockaddr_ll; the protocol is in network order.
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(protocol, 2);
    address.writeInt32LE(index, 4);
    bind(fd, address, OP);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

const MSG_DONTWAIT = 0x40;

/**
 * Sends a whole frame through the link of that ifindex, whichever the socket listens to: of a bridge's port, through
 * that port alone. Throws SystemError.
 */
export function sendFrame(fd: number, index: number, frame: Uint8Array, op: string): void {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeInt32LE(index, 4);
  sendTo(fd, frame, MSG_DONTWAIT, address, op);
}

/** IPv6 without extension headers: UDP to this port, or ICMPv6 of this type. */
export function udp6ToOrIcmp6Of(port: number, type: number): readonly Instruction[] {
  const ip = ETHERNET_HEADER;
  return [
    [LDB_ABS, 0, 0, ip + 6],
    [JEQ, 0, 2, IPPROTO_UDP],
    [LDH_ABS, 0, 0, ip + 42],
    [JEQ, 3, 4, port],
    [JEQ, 0, 3, 58],
    [LDB_ABS, 0, 0, ip + 40],
    [JEQ, 0, 1, type],
    [RET, 0, 0, WHOLE],
    [RET, 0, 0, 0],
  ];
}
