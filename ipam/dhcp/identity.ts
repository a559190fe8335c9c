/** Who a DHCP client says it is: the same for the same texts, whatever process or boot it runs in. */
import { sha256 } from '../../lib/base/sha256.ts';

/** RFC 6355, section 4. */
const DUID_UUID = 4;
/** RFC 4361, section 6.1: the type of a client identifier that has an IAID and a DUID. */
const NODE_SPECIFIC = 255;

/** DUID-UUID (RFC 6355) of 18 bytes: a UUID of version 8 (RFC 9562, section 5.8) made of a text that is its owner's. */
export function duidFrom(seed: string): Buffer {
  const uuid = sha256(seed).subarray(0, 16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return Buffer.concat([Buffer.from([0, DUID_UUID]), uuid]);
}

/** The identity association of one interface: 32 bits, unlike for the interfaces of the same DUID. */
export function iaidFrom(text: string): number {
  return sha256(text).readUInt32BE(0);
}

/** Option 61 as RFC 4361 has it, so that servers see the same client in DHCPv4 and DHCPv6. */
export function clientIdFrom(iaid: number, duid: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(NODE_SPECIFIC, 0);
  head.writeUInt32BE(iaid, 1);
  return Buffer.concat([head, duid]);
}
