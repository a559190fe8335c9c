/** UDP datagrams (RFC 768) in IPv4. */
import { checksum, onesSum } from '../../../lib/base/checksum.ts';
import { DecodeError } from '../decode-error.ts';
import { ipv4Bytes } from './ipv4.ts';

const HEADER = 8;
const CHECKSUM = 6;
const UDP = 17;

export interface UdpDatagram {
  readonly fromPort: number;
  readonly toPort: number;
  readonly payload: Buffer;
}

/** The addresses that the checksum counts as well. */
export interface Ends {
  readonly from: string;
  readonly to: string;
}

function pseudoHeader({ from, to }: Ends, length: number): Buffer {
  return Buffer.concat([ipv4Bytes(from), ipv4Bytes(to), Buffer.from([0, UDP, length >>> 8, length & 0xff])]);
}

export function encodeUdp({ fromPort, toPort, payload }: UdpDatagram, ends: Ends): Buffer {
  const header = Buffer.alloc(HEADER);
  const length = HEADER + payload.length;
  header.writeUInt16BE(fromPort, 0);
  header.writeUInt16BE(toPort, 2);
  header.writeUInt16BE(length, 4);
  const sum = checksum(Buffer.concat([pseudoHeader(ends, length), header, payload]));
  // Zero would say that there is no checksum.
  header.writeUInt16BE(sum === 0 ? 0xffff : sum, CHECKSUM);
  return Buffer.concat([header, payload]);
}

/**
 * Right, absent, or the sum of the pseudo-header alone: where a datagram comes from the same host (through a veth), the
 * kernel leaves the rest to a device that never comes (CHECKSUM_PARTIAL, linux/skbuff.h), and packet sockets see it so.
 */
function isSound(datagram: Buffer, ends: Ends): boolean {
  const told = datagram.readUInt16BE(CHECKSUM);
  if (told === 0) return true;
  const pseudo = pseudoHeader(ends, datagram.length);
  return told === onesSum(pseudo) || checksum(Buffer.concat([pseudo, datagram])) === 0;
}

/** Throws DecodeError for what is cut off or damaged. */
export function decodeUdp(bytes: Buffer, ends: Ends): UdpDatagram {
  const length = bytes.length < HEADER ? 0 : bytes.readUInt16BE(4);
  if (length < HEADER || length > bytes.length)
    throw new DecodeError(`a datagram of ${length} bytes in ${bytes.length}`);
  const datagram = bytes.subarray(0, length);
  if (!isSound(datagram, ends)) throw new DecodeError('a damaged datagram');
  return {
    fromPort: datagram.readUInt16BE(0),
    toPort: datagram.readUInt16BE(2),
    payload: datagram.subarray(HEADER),
  };
}
