/** Addresses that a host can have, and masks of networks. */
import { ipv4Bytes } from '../frame/ipv4.ts';

function number(address: string): number {
  return ipv4Bytes(address).readUInt32BE(0);
}

/** Neither of "this network", nor loopback, nor a multicast, reserved or broadcast address (RFC 6890). */
export function isHostAddress(address: string): boolean {
  const first = number(address) >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** Whether it is a host's within its own network: neither the first nor the last one (RFC 3021: of two, both are). */
export function isHostWithin(address: string, length: number): boolean {
  if (length >= 31) return true;
  const hostBits = 0xffffffff >>> length;
  const host = (number(address) & hostBits) >>> 0;
  return host !== 0 && host !== hostBits;
}

/** The prefix length of a mask; undefined for one with gaps, and for 0.0.0.0, which makes no network. */
export function maskLength(mask: string): number | undefined {
  const length = Math.clz32(~number(mask));
  const contiguous = length === 32 || number(mask) << length === 0;
  return contiguous && length > 0 ? length : undefined;
}

/** RFC 791: of the class that an address is in. */
export function classLength(address: string): number {
  const first = number(address) >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}
