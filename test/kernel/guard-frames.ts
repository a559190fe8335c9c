/**
 * Frames as a rogue makes them: built byte by byte (RFCs named at each), so that nothing of a stack's help is in them.
 */
import { addressBytes, parseAddress } from '../../lib/base/ip.ts';
import { parseMac } from '../../lib/base/mac.ts';

const u16 = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
const ip = (text: string) => addressBytes(parseAddress(text));
const hex = (text: string) => Buffer.from(text.replaceAll(/[ :]/g, ''), 'hex');

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  const even = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
  for (let at = 0; at < even.length; at += 2) sum += even.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export interface Ends {
  readonly from: string;
  readonly to: string;
}

export function ethernet({ from, to }: Ends, type: number, payload: Uint8Array): Buffer {
  return Buffer.concat([hex(to), hex(from), u16(type), payload]);
}

/** IEEE 802.1Q: the same frame with a tag. */
export function tagged(frame: Buffer, vlan: number): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(0x8100), u16(vlan), frame.subarray(12)]);
}

/** IEEE 802.1D: a configuration BPDU behind LLC. */
export function bpdu({ from }: { from: string }): Buffer {
  const body = Buffer.concat([hex('424203'), Buffer.alloc(35)]);
  return ethernet({ from, to: '01:80:c2:00:00:00' }, body.length, body);
}

/** RFC 826. */
export function arp(ends: Ends, operation: 'request' | 'reply', sender: string, target: string): Buffer {
  const header = hex(`000108000604000${operation === 'request' ? 1 : 2}`);
  const [source, wanted] = [parseMac(ends.from), Buffer.alloc(6)];
  return ethernet(ends, 0x0806, Buffer.concat([header, source, ip(sender), wanted, ip(target)]));
}

/** RFC 791 3.1. */
export function ipv4(ends: Ends, { from, to }: Ends, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.concat([
    hex('4500'),
    u16(20 + payload.length),
    hex('00000000 40'),
    Buffer.from([protocol]),
    u16(0),
    ip(from),
    ip(to),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return ethernet(ends, 0x0800, Buffer.concat([header, payload]));
}

/** RFC 768; without checksum. */
export function udp(from: number, to: number, data: Buffer = Buffer.alloc(16)): Buffer {
  return Buffer.concat([u16(from), u16(to), u16(8 + data.length), u16(0), data]);
}

/** An IPv6 header that another follows: its number, and its bytes but the first, which names the next. */
export interface Extension {
  readonly number: number;
  readonly rest: Buffer;
}

/** RFC 8200 4.3, 4.6: six bytes of padding. */
export const HOP_BY_HOP: Extension = { number: 0, rest: hex('00010400000000') };
export const DESTINATION: Extension = { number: 60, rest: hex('00010400000000') };
/** Longer than what follows in the frame. */
export const LONG_DESTINATION: Extension = { number: 60, rest: hex('1f010400000000') };
/** RFC 8200 4.5: the first of several fragments, and one behind it. */
export const FIRST_FRAGMENT: Extension = { number: 44, rest: hex('00000100000007') };

/** RFC 8200 3. */
export function ipv6(
  ends: Ends,
  { from, to }: Ends,
  protocol: number,
  payload: Buffer,
  extensions: readonly Extension[] = [],
): Buffer {
  const numbers = [...extensions.map(({ number }) => number), protocol];
  const chain = extensions.map(({ rest }, at) => Buffer.concat([Buffer.from([numbers[at + 1] ?? 0]), rest]));
  const all = Buffer.concat([...chain, payload]);
  const fixed = [hex('60000000'), u16(all.length), Buffer.from([numbers[0] ?? 0, 255]), ip(from), ip(to)];
  return ethernet(ends, 0x86dd, Buffer.concat([...fixed, all]));
}

/** RFC 4443 2.3, over the pseudo-header of RFC 8200 8.1. */
export function icmp6({ from, to }: Ends, type: number, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const pseudo = Buffer.concat([ip(from), ip(to), length, hex('0000003a')]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  return message;
}

/** RFC 4861 4.2: a router for half an hour. */
export const RA_BODY = hex('40 00 0708 00000000 00000000');
/** RFC 4861 4.4: override, and whose MAC address it is. */
export function naBody(target: string, mac: string): Buffer {
  return Buffer.concat([hex('20000000'), ip(target), hex('0201'), parseMac(mac)]);
}
/** RFC 4861 4.3. */
export function nsBody(target: string): Buffer {
  return Buffer.concat([hex('00000000'), ip(target)]);
}
/** RFC 4861 4.5. */
export function redirectBody(target: string, destination: string): Buffer {
  return Buffer.concat([hex('00000000'), ip(target), ip(destination)]);
}
