/** Ethernet addresses (IEEE 802). */
import { sha256 } from './sha256.ts';

/** The six bytes of what is known to be the text of an address, of one machine or of many. */
export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/**
 * Reads "02:00:5e:10:00:01" (either case) into 6 bytes; throws RangeError for anything that is not a unicast address.
 */
export function parseMac(text: string): Buffer {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new RangeError(
      `not a MAC address: ${JSON.stringify(text.slice(0, 64))}; write it as 02:00:5e:10:00:01`,
    );
  }
  const bytes = macBytes(text);
  if ((bytes.readUInt8(0) & 1) === 1)
    throw new RangeError(`${text} is a multicast address; an interface needs a unicast one`);
  if (bytes.every((byte) => byte === 0))
    throw new RangeError('00:00:00:00:00:00 cannot be the address of an interface');
  return bytes;
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A locally administered unicast address that is always the same for the same seed. */
export function macFrom(seed: string): string {
  const bytes = sha256(seed).subarray(0, 6);
  bytes.writeUInt8((bytes.readUInt8(0) & 0xfc) | 0x02, 0);
  return formatMac(bytes);
}
