/** Interface identifiers that are made of MAC addresses. */
import type { Address } from './ip.ts';
import { parsePrefix } from './ip.ts';
import { parseMac } from './mac.ts';

/** The modified EUI-64 interface identifier of a MAC address (RFC 4291, appendix A). */
export function eui64(mac: string): bigint {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = parseMac(mac);
  return Buffer.from([a ^ 2, b, c, 0xff, 0xfe, d, e, f]).readBigUInt64BE();
}

/** fe80::/64 with this interface identifier. */
export function linkLocal(identifier: bigint): Address {
  return { family: 6, value: parsePrefix('fe80::/64').address.value | identifier };
}
