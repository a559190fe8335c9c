/**
 * What a node says of itself in neighbour discovery (RFC 4861), through a raw ICMPv6 socket (raw(7), RFC 3542): the
 * kernel says neither of these as long as an address is optimistic (RFC 4429).
 */
import { closeSync } from 'node:fs';
import { addressBytes, parseAddress } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { parseMac } from '../base/mac.ts';
import { SOCK_RAW, sendTo, setsockoptInt, socket } from './syscall.ts';

const AF_INET6 = 10;
const IPPROTO_ICMPV6 = 58;
const IPPROTO_IPV6 = 41;
/** linux/in6.h */
const IPV6_MULTICAST_HOPS = 18;
/** Who receives one with less has not got it from the link (RFC 4861, section 6.1.1). */
const HOPS = 255;
const ROUTER_SOLICITATION = 133;
const NEIGHBOUR_ADVERTISEMENT = 136;
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;
const ALL_NODES = parseAddress('ff02::1');
const ALL_ROUTERS = parseAddress('ff02::2');

/** struct sockaddr_in6 of a group on a link. */
function groupOn(index: number, group: Address): Buffer {
  const address = Buffer.alloc(28);
  address.writeUInt16LE(AF_INET6, 0);
  addressBytes(group).copy(address, 8);
  address.writeUInt32LE(index, 24);
  return address;
}

/** The checksum is the kernel's part (RFC 3542, section 3.1), the source address as well. */
function multicast(index: number, group: Address, messages: readonly Buffer[], op: string): void {
  const fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, op);
  try {
    setsockoptInt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS, op);
    for (const message of messages) sendTo(fd, message, 0, groupOn(index, group), op);
  } finally {
    closeSync(fd);
  }
}

/**
 * Asks the routers of a link to advertise (RFC 4861, section 4.1), in the calling thread's namespace. Without a source
 * link-layer address, which an optimistic address must not give (RFC 4429, section 3.2). Throws SystemError, of
 * EADDRNOTAVAIL when the link has no link-local address.
 */
export function solicitRouters(index: number): void {
  const message = Buffer.from([ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
  multicast(index, ALL_ROUTERS, [message], 'ask for routers');
}

/**
 * Tells all nodes of a link that these addresses are at this MAC address now, whatever they knew before (RFC 4861,
 * section 4.4, unsolicited and with the override flag), in the calling thread's namespace: for addresses of which the
 * caller knows that nobody else has them.
 */
export function advertiseAddresses(index: number, mac: string, addresses: readonly Address[]): void {
  const option = Buffer.concat([Buffer.from([TARGET_LINK_LAYER_ADDRESS, 1]), parseMac(mac)]);
  const messages = addresses.map((address) =>
    Buffer.concat([
      Buffer.from([NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0]),
      addressBytes(address),
      option,
    ]),
  );
  multicast(index, ALL_NODES, messages, 'tell where addresses are');
}
