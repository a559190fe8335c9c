/**
 * Whether anybody on a link answers for an address: asked before taking it, as RFC 5227 (ARP) and RFC 4862 5.4 (IPv6)
 * have it, through a packet socket (packet(7)), since an interface without addresses cannot ask otherwise.
 */
import { closeSync } from 'node:fs';
import { checksum } from '../base/checksum.ts';
import { addressBytes } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { formatMac } from '../base/mac.ts';
import { ETHERNET_HEADER, ETH_P_ARP, ETH_P_IPV6, openPacketSocket } from './packet-socket.ts';
import { receive, send, waitReadable } from './syscall.ts';

const ETH_P_ALL = 3;
const ARP_REQUEST = 1;
const ICMPV6 = 58;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const IPV6_HEADER = 40;
/** Asked twice, since one packet may get lost; a machine on the same link answers within some milliseconds. */
const ROUNDS = 2;
const ROUND_MS = 200;
/** All that is said on the link waits in it; the kernel doubles it. */
const RECEIVE_BUFFER = 128 * 1024;
const OP = 'ask who has an address';

export interface ProbeLink {
  readonly index: number;
  readonly mac: Buffer;
}

function ethernet(to: Buffer, from: Buffer, type: number): Buffer {
  const header = Buffer.concat([to, from, Buffer.alloc(2)]);
  header.writeUInt16BE(type, 12);
  return header;
}

/** RFC 826, with no sender address: nobody shall learn one from the question. */
export function arpProbe(mac: Buffer, address: Address): Buffer {
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, ARP_REQUEST]);
  return Buffer.concat([
    ethernet(Buffer.alloc(6, 0xff), mac, ETH_P_ARP),
    head,
    mac,
    Buffer.alloc(4),
    Buffer.alloc(6),
    addressBytes(address),
  ]);
}

/**
 * RFC 4861 4.3, from the unspecified address to the solicited-node group (RFC 4291 2.7.1), so that all nodes are
 * answered.
 */
export function neighbourSolicitation(mac: Buffer, address: Address): Buffer {
  const target = addressBytes(address);
  const group = Buffer.concat([Buffer.from('ff0200000000000000000001ff', 'hex'), target.subarray(13)]);
  const message = Buffer.concat([Buffer.from([NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]), target]);
  const source = Buffer.alloc(16);
  const pseudo = Buffer.from([0, 0, 0, message.length, 0, 0, 0, ICMPV6]);
  message.writeUInt16BE(checksum(Buffer.concat([source, group, pseudo, message])), 2);
  const ip = Buffer.from([0x60, 0, 0, 0, 0, message.length, ICMPV6, 255]);
  const to = Buffer.concat([Buffer.from([0x33, 0x33]), group.subarray(12)]);
  return Buffer.concat([ethernet(to, mac, ETH_P_IPV6), ip, source, group, message]);
}

/** The MAC address of whoever says in `frame` that the address is his; an ARP question of his own says so as well. */
export function holderIn(frame: Buffer, address: Address): Buffer | undefined {
  const wanted = addressBytes(address);
  const from = frame.subarray(6, 12);
  const type = frame.length > ETHERNET_HEADER ? frame.readUInt16BE(12) : 0;
  const packet = frame.subarray(ETHERNET_HEADER);
  if (address.family === 4)
    return type === ETH_P_ARP && packet.subarray(14, 18).equals(wanted) ? packet.subarray(8, 14) : undefined;
  const icmp = packet.subarray(IPV6_HEADER);
  const advertised =
    type === ETH_P_IPV6 && packet[6] === ICMPV6 && icmp[0] === NEIGHBOUR_ADVERTISEMENT && icmp.length >= 24;
  return advertised && icmp.subarray(8, 24).equals(wanted) ? from : undefined;
}

/** How often is asked, and how long an answer is waited for each time, in milliseconds. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
}

const UNHURRIED: Pace = { rounds: ROUNDS, roundMs: ROUND_MS };

export interface Holder {
  readonly address: Address;
  readonly mac: string;
}

/** Who else on the link has one of the addresses, the first who answers; undefined when nobody does in time. */
export function firstHolder(
  { index, mac }: ProbeLink,
  addresses: readonly Address[],
  now: () => number,
  { rounds, roundMs }: Pace = UNHURRIED,
): Holder | undefined {
  const fd = openPacketSocket({ index, protocol: ETH_P_ALL, receiveBuffer: RECEIVE_BUFFER });
  const buffer = Buffer.alloc(2048);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const address of addresses)
        send(fd, (address.family === 4 ? arpProbe : neighbourSolicitation)(mac, address), OP);
      const end = now() + roundMs;
      while (waitReadable(fd, Math.min(end - now(), roundMs), OP)) {
        const length = receive(fd, buffer, OP) ?? 0;
        const frame = buffer.subarray(0, Math.min(length, buffer.length));
        for (const address of addresses) {
          const holder = holderIn(frame, address);
          if (holder && !holder.equals(mac)) return { address, mac: formatMac(holder) };
        }
        if (now() >= end) break;
      }
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The MAC address of whoever else on the link has the address; undefined when nobody answers within half a second. */
export function holderOf(link: ProbeLink, address: Address, now: () => number): string | undefined {
  return firstHolder(link, [address], now)?.mac;
}
