/** IPv4 packets (RFC 791) with UDP in them. */
import { checksum } from '../../../lib/base/checksum.ts';
import { addressBytes, parseAddress } from '../../../lib/base/ip.ts';
import { DecodeError } from '../decode-error.ts';

const HEADER = 20;
const UDP = 17;
const TTL = 64;
/** Everything of the field but DF: more fragments, the fragment's place. */
const FRAGMENTED = 0x3fff;
const DONT_FRAGMENT = 0x4000;
/** Differentiated services: CS6, network control (RFC 4594), as other DHCP clients and servers mark theirs. */
const TOS = 0xc0;

export interface Ipv4Packet {
  /** Dotted decimal. */
  readonly from: string;
  readonly to: string;
  readonly payload: Buffer;
}

export function ipv4Bytes(text: string): Buffer {
  return addressBytes(parseAddress(text));
}

export function ipv4Text(bytes: Buffer): string {
  return bytes.subarray(0, 4).join('.');
}

export function encodeIpv4({ from, to, payload }: Ipv4Packet): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(0x45, 0);
  header.writeUInt8(TOS, 1);
  header.writeUInt16BE(HEADER + payload.length, 2);
  header.writeUInt16BE(DONT_FRAGMENT, 6);
  header.writeUInt8(TTL, 8);
  header.writeUInt8(UDP, 9);
  ipv4Bytes(from).copy(header, 12);
  ipv4Bytes(to).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/**
 * Bytes behind the packet's own length are Ethernet's padding. Throws DecodeError for what is cut off, damaged, a
 * fragment, or no UDP.
 */
export function decodeIpv4(packet: Buffer): Ipv4Packet {
  if (packet.length < HEADER || packet.readUInt8(0) >>> 4 !== 4)
    throw new DecodeError(`${packet.length} bytes that are no IPv4 packet`);
  const header = (packet.readUInt8(0) & 15) * 4;
  const total = packet.readUInt16BE(2);
  if (header < HEADER || header > total || total > packet.length)
    throw new DecodeError(`a header of ${header} and a length of ${total} in ${packet.length} bytes`);
  if (checksum(packet.subarray(0, header)) !== 0) throw new DecodeError('a damaged IPv4 header');
  if ((packet.readUInt16BE(6) & FRAGMENTED) !== 0) throw new DecodeError('a fragment');
  if (packet.readUInt8(9) !== UDP) throw new DecodeError(`protocol ${packet.readUInt8(9)}`);
  return {
    from: ipv4Text(packet.subarray(12)),
    to: ipv4Text(packet.subarray(16)),
    payload: packet.subarray(header, total),
  };
}
