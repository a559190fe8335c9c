/** Ethernet II frames (IEEE 802.3) with IPv4 in them. */
import { formatMac, macBytes } from '../../../lib/base/mac.ts';
import { DecodeError } from '../decode-error.ts';

const HEADER = 14;
const ETHERTYPE = 12;
const ETH_P_IP = 0x0800;

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';

export interface EthernetFrame {
  /** "02:00:00:00:00:01", the broadcast address too. */
  readonly from: string;
  readonly to: string;
  /** With the padding that short frames have. */
  readonly payload: Buffer;
}

export function encodeEthernet({ from, to, payload }: EthernetFrame): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(ETH_P_IP);
  return Buffer.concat([macBytes(to), macBytes(from), type, payload]);
}

/** Throws DecodeError for a frame that is cut off, or has no IPv4 in it. */
export function decodeEthernet(frame: Buffer): EthernetFrame {
  if (frame.length < HEADER) throw new DecodeError(`a frame of ${frame.length} bytes`);
  const type = frame.readUInt16BE(ETHERTYPE);
  if (type !== ETH_P_IP) throw new DecodeError(`a frame of type ${type}`);
  return {
    to: formatMac(frame.subarray(0, 6)),
    from: formatMac(frame.subarray(6, 12)),
    payload: frame.subarray(HEADER),
  };
}
