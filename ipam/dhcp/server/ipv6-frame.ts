/** IPv6 packets without extension headers in Ethernet frames (RFC 8200, RFC 2464), with ICMPv6 or UDP in them. */
import { checksum, onesSum } from '../../../lib/base/checksum.ts';
import { addressBytes, addressFromBytes, formatAddress, parseAddress } from '../../../lib/base/ip.ts';
import { formatMac, macBytes } from '../../../lib/base/mac.ts';
import { DecodeError } from '../decode-error.ts';

export const ICMPV6 = 58;
export const UDP = 17;

const ETHERNET = 14;
const HEADER = 40;
const ETH_P_IPV6 = 0x86dd;
const UDP_HEADER = 8;
/** Where the payload has its checksum. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { [ICMPV6]: 2, [UDP]: 6 };

export interface End6 {
  readonly mac: string;
  /** In text form, without a zone. */
  readonly address: string;
}

export interface Frame6 {
  readonly from: End6;
  readonly to: End6;
  readonly protocol: number;
  readonly hops: number;
  /** ICMPv6, or UDP with its header; its checksum is filled in. */
  readonly payload: Buffer;
}

function bytesOf(address: string): Buffer {
  return addressBytes(parseAddress(address));
}

/** RFC 8200, section 8.1 */
function pseudoHeader(from: Buffer, to: Buffer, length: number, protocol: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt8(protocol, 7);
  return Buffer.concat([from, to, tail]);
}

/** The Ethernet address of an IPv6 group (RFC 2464, section 7). */
export function groupMac(address: string): string {
  return formatMac(Buffer.concat([Buffer.from([0x33, 0x33]), bytesOf(address).subarray(12)]));
}

export function encodeFrame6({ from, to, protocol, hops, payload }: Frame6): Buffer {
  const [source, target] = [bytesOf(from.address), bytesOf(to.address)];
  const body = Buffer.from(payload);
  const at = CHECKSUM_AT[protocol] ?? 0;
  body.writeUInt16BE(0, at);
  const sum = checksum(Buffer.concat([pseudoHeader(source, target, body.length, protocol), body]));
  body.writeUInt16BE(sum === 0 && protocol === UDP ? 0xffff : sum, at);
  const head = Buffer.alloc(ETHERNET + 8);
  macBytes(to.mac).copy(head, 0);
  macBytes(from.mac).copy(head, 6);
  head.writeUInt16BE(ETH_P_IPV6, 12);
  head.writeUInt8(0x60, ETHERNET);
  head.writeUInt16BE(body.length, ETHERNET + 4);
  head.writeUInt8(protocol, ETHERNET + 6);
  head.writeUInt8(hops, ETHERNET + 7);
  return Buffer.concat([head, source, target, body]);
}

/** As ipam/dhcp/frame/udp.ts has it: between hosts of one machine the sum may be that of the pseudo-header alone. */
function isSound(pseudo: Buffer, body: Buffer, protocol: number): boolean {
  const at = CHECKSUM_AT[protocol];
  if (at === undefined || body.length < at + 2) return false;
  return body.readUInt16BE(at) === onesSum(pseudo) || checksum(Buffer.concat([pseudo, body])) === 0;
}

/** Throws DecodeError for everything but a whole and sound packet. */
export function decodeFrame6(bytes: Buffer): Frame6 {
  if (bytes.length < ETHERNET + HEADER || bytes.readUInt16BE(12) !== ETH_P_IPV6)
    throw new DecodeError(`a frame of ${bytes.length} bytes that is no IPv6`);
  const packet = bytes.subarray(ETHERNET);
  const length = packet.readUInt16BE(4);
  if (packet.readUInt8(0) >>> 4 !== 6 || HEADER + length > packet.length)
    throw new DecodeError(`a packet of ${length} bytes in ${packet.length}`);
  const protocol = packet.readUInt8(6);
  const [source, target] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  const payload = packet.subarray(HEADER, HEADER + length);
  if (!isSound(pseudoHeader(source, target, length, protocol), payload, protocol))
    throw new DecodeError('a damaged packet');
  const text = (address: Buffer): string => formatAddress(addressFromBytes(address));
  return {
    to: { mac: formatMac(bytes.subarray(0, 6)), address: text(target) },
    from: { mac: formatMac(bytes.subarray(6, 12)), address: text(source) },
    protocol,
    hops: packet.readUInt8(7),
    payload,
  };
}

/** RFC 768; the checksum is left to encodeFrame6. */
export function udpDatagram(fromPort: number, toPort: number, data: Buffer): Buffer {
  const header = Buffer.alloc(UDP_HEADER);
  header.writeUInt16BE(fromPort, 0);
  header.writeUInt16BE(toPort, 2);
  header.writeUInt16BE(UDP_HEADER + data.length, 4);
  return Buffer.concat([header, data]);
}

/** Throws DecodeError. */
export function udpPayload(datagram: Buffer): {
  readonly fromPort: number;
  readonly toPort: number;
  readonly data: Buffer;
} {
  const length = datagram.length < UDP_HEADER ? 0 : datagram.readUInt16BE(4);
  if (length < UDP_HEADER || length > datagram.length)
    throw new DecodeError(`a datagram of ${length} bytes in ${datagram.length}`);
  return {
    fromPort: datagram.readUInt16BE(0),
    toPort: datagram.readUInt16BE(2),
    data: datagram.subarray(UDP_HEADER, length),
  };
}
