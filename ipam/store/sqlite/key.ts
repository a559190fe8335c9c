/**
 * Addresses as keys of the store: 16 bytes in network order, so that bytes sort as addresses do.
 * IPv4 addresses are kept as IPv4-mapped ones (RFC 4291 2.5.5.2), which pools refuse as IPv6 networks.
 */
import type { Address } from '../../../lib/base/ip.ts';

const MAPPED = 0xffffn << 32n;
const LOW = (1n << 64n) - 1n;
const HIGHEST = (1n << 128n) - 1n;

function bytesOf(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeBigUInt64BE(value >> 64n, 0);
  bytes.writeBigUInt64BE(value & LOW, 8);
  return bytes;
}

function numberOf(key: Uint8Array): bigint {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

export function keyOf({ family, value }: Address): Buffer {
  return bytesOf(family === 4 ? MAPPED | value : value);
}

export function addressOf(key: Uint8Array): Address {
  const value = numberOf(key);
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** The next key up, or undefined after the highest. */
export function keyAfter(key: Uint8Array): Buffer | undefined {
  const value = numberOf(key);
  return value === HIGHEST ? undefined : bytesOf(value + 1n);
}

/** The next key down, or undefined before the lowest. */
export function keyBefore(key: Uint8Array): Buffer | undefined {
  const value = numberOf(key);
  return value === 0n ? undefined : bytesOf(value - 1n);
}

export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
