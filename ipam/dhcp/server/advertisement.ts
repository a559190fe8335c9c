/** Router advertisements (RFC 4861, sections 4.2 and 4.6; RFC 8106), and who asks for them. */
import { addressBytes, parseAddress, parsePrefix } from '../../../lib/base/ip.ts';
import { parseMac } from '../../../lib/base/mac.ts';
import { nameBytes } from '../v6/names.ts';
import { ICMPV6 } from './ipv6-frame.ts';
import type { Frame6 } from './ipv6-frame.ts';

export const ALL_NODES = 'ff02::1';
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
/** Who receives one with less has not got it from the link. */
export const HOPS = 255;

/** RFC 4861, section 6.2.1: seconds. What is told holds for three of the longest intervals. */
export const LONGEST_INTERVAL = 600;
export const SHORTEST_INTERVAL = 200;
const ROUTER_LIFETIME = 3 * LONGEST_INTERVAL;
const VALID_LIFETIME = 86_400;
const PREFERRED_LIFETIME = 14_400;
const HOP_LIMIT = 64;
/** Other configuration is to be had by DHCPv6 (O); addresses are not (M). */
const OTHER = 0x40;
/** On the link (L), and for addresses that hosts make themselves (A). */
const PREFIX_FLAGS = 0xc0;

export interface Advertised {
  /** Of the router's interface. */
  readonly mac: string;
  readonly prefixes: readonly string[];
  readonly dns: { readonly nameservers: readonly string[]; readonly search: readonly string[] };
  readonly mtu?: number;
  /** Whether DHCPv6 has more to tell. */
  readonly other: boolean;
  /** The router goes: nothing of it is to be used any more but addresses that are in use. */
  readonly ceases?: boolean;
}

/** Options are told in units of eight bytes (section 4.6). */
function option(type: number, body: Buffer): Buffer {
  const length = Math.ceil((2 + body.length) / 8);
  const bytes = Buffer.alloc(8 * length);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(length, 1);
  body.copy(bytes, 2);
  return bytes;
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

function prefixOption(text: string, ceases: boolean): Buffer {
  const { address, length } = parsePrefix(text);
  const times = u32(VALID_LIFETIME, ceases ? 0 : PREFERRED_LIFETIME, 0);
  return option(3, Buffer.concat([Buffer.from([length, PREFIX_FLAGS]), times, addressBytes(address)]));
}

/** RFC 8106, section 5: two reserved bytes, a lifetime, then what there is. */
function dnsOption(type: number, lifetime: number, body: Buffer): Buffer {
  return option(type, Buffer.concat([Buffer.alloc(2), u32(lifetime), body]));
}

/** ICMPv6, without its checksum. */
export function routerAdvertisement({ mac, prefixes, dns, mtu, other, ceases = false }: Advertised): Buffer {
  const lifetime = ceases ? 0 : ROUTER_LIFETIME;
  const head = Buffer.alloc(16);
  head.writeUInt8(ROUTER_ADVERTISEMENT, 0);
  head.writeUInt8(HOP_LIMIT, 4);
  head.writeUInt8(other ? OTHER : 0, 5);
  head.writeUInt16BE(lifetime, 6);
  const servers = dns.nameservers.filter((server) => server.includes(':'));
  const names = dns.search.map((domain) => Buffer.concat([nameBytes(domain), Buffer.alloc(1)]));
  return Buffer.concat([
    head,
    option(1, parseMac(mac)),
    ...(mtu === undefined ? [] : [option(5, Buffer.concat([Buffer.alloc(2), u32(mtu)]))]),
    ...prefixes.map((prefix) => prefixOption(prefix, ceases)),
    ...(servers.length > 0
      ? [dnsOption(25, lifetime, Buffer.concat(servers.map((server) => addressBytes(parseAddress(server)))))]
      : []),
    ...(names.length > 0 ? [dnsOption(31, lifetime, Buffer.concat(names))] : []),
  ]);
}

/** Whether a frame is a router solicitation as section 6.1.1 wants it. */
export function isSolicitation({ protocol, hops, payload, from }: Frame6): boolean {
  if (protocol !== ICMPV6 || hops !== HOPS || payload.length < 8) return false;
  if (payload.readUInt8(0) !== ROUTER_SOLICITATION || payload.readUInt8(1) !== 0) return false;
  for (let at = 8; at < payload.length; ) {
    const length = at + 1 < payload.length ? payload.readUInt8(at + 1) * 8 : 0;
    if (length === 0 || at + length > payload.length) return false;
    // Who has no address yet cannot be answered at one.
    if (payload.readUInt8(at) === 1 && from.address === '::') return false;
    at += length;
  }
  return true;
}
