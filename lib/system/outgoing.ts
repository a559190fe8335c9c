/** What leaves the host, whichever interface it leaves by (packet(7), PACKET_OUTGOING): UDP to one port. */
import { closeSync } from 'node:fs';
import { attachFilter } from './packet-socket.ts';
import type { Instruction } from './packet-socket.ts';
import { bind, receiveFrom, socket } from './syscall.ts';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const ETH_P_ALL = 3;
const PACKET_OUTGOING = 4;
const IPPROTO_UDP = 17;
const OP = 'listen to what leaves the host';

/** SKF_AD_OFF + SKF_AD_PKTTYPE (linux/filter.h) */
const PKTTYPE = 0xfffff004;
const [LDW_ABS, LDH_ABS, LDB_ABS, LDH_IND, LDXB_MSH] = [0x20, 0x28, 0x30, 0x48, 0xb1];
const [AND, JEQ, RET] = [0x54, 0x15, 0x06];

/** IPv4, or IPv6 without extension headers, from its header on: such a socket sees no frames. */
function udpTo(port: number): readonly Instruction[] {
  return [
    [LDW_ABS, 0, 0, PKTTYPE],
    [JEQ, 0, 14, PACKET_OUTGOING],
    [LDB_ABS, 0, 0, 0],
    [AND, 0, 0, 0xf0],
    [JEQ, 0, 5, 0x40],
    [LDB_ABS, 0, 0, 9],
    [JEQ, 0, 9, IPPROTO_UDP],
    [LDXB_MSH, 0, 0, 0],
    [LDH_IND, 0, 0, 2],
    [JEQ, 5, 6, port],
    [JEQ, 0, 5, 0x60],
    [LDB_ABS, 0, 0, 6],
    [JEQ, 0, 3, IPPROTO_UDP],
    [LDH_ABS, 0, 0, 42],
    [JEQ, 0, 1, port],
    [RET, 0, 0, 0x40000],
    [RET, 0, 0, 0],
  ];
}

/** Opens a socket in the calling thread's namespace that does not block. Throws SystemError. */
export function openOutgoing(port: number): number {
  const fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0, OP);
  try {
    attachFilter(fd, udpTo(port));
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETH_P_ALL, 2);
    bind(fd, address, OP);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export interface Outgoing {
  /** ifindex */
  readonly index: number;
  /** From its IP header on. */
  readonly packet: Buffer;
}

/** The next one; undefined when there is none. */
export function nextOutgoing(fd: number): Outgoing | undefined {
  const buffer = Buffer.alloc(256);
  const address = Buffer.alloc(20);
  const length = receiveFrom(fd, buffer, address, OP);
  if (length === undefined) return undefined;
  return { index: address.readInt32LE(4), packet: buffer.subarray(0, Math.min(length, buffer.length)) };
}
