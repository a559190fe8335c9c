/**
 * IPv4 and IPv6 addresses and prefixes as numbers. Text forms: dotted decimal without leading zeros (RFC 6943 3.1.1
 * strict form), RFC 4291 2.2 for reading and RFC 5952 for writing IPv6. Zones are refused: an address that leaves this
 * process means the same in every namespace.
 */

export type Family = 4 | 6;

/** `value` is the unsigned 32- or 128-bit number of the address. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** An address with its prefix length, host bits kept as written ("10.0.0.2/24"). */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

export class AddressError extends Error {
  override readonly name = 'AddressError';
}

export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return BigInt(value);
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** Reads one address; throws AddressError. */
export function parseAddress(text: string): Address {
  if (text.length <= 45) {
    const v6 = text.includes(':');
    const value = v6 ? parseV6(text) : parseV4(text);
    if (value !== undefined) return { family: v6 ? 6 : 4, value };
  }
  throw new AddressError(`not an IP address: ${JSON.stringify(text.slice(0, 64))}`);
}

function formatV6(value: bigint): string {
  // RFC 5952 5: IPv4-mapped addresses are written with their dotted tail.
  if (value >> 32n === 0xffffn) return `::ffff:${formatAddress({ family: 4, value: value & 0xffffffffn })}`;
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
    if (end > start) start = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

export function formatAddress({ family, value }: Address): string {
  if (family === 6) return formatV6(value);
  const number = Number(value);
  return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join('.');
}

/** Reads "address/length"; host bits are kept; throws AddressError. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/');
  const digits = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(digits)) {
    throw new AddressError(`not an address with a prefix length: ${JSON.stringify(text.slice(0, 64))}`);
  }
  const address = parseAddress(text.slice(0, slash));
  const length = Number(digits);
  if (length > bitsOf(address.family)) {
    throw new AddressError(
      `prefix length ${length} is over ${bitsOf(address.family)} in ${JSON.stringify(text)}`,
    );
  }
  return { address, length };
}

/** The address of "address/length" as it is written; one without a length stays as it is. */
export function withoutLength(text: string): string {
  const slash = text.indexOf('/');
  return slash < 0 ? text : text.slice(0, slash);
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** 4 or 16 bytes in network order. */
export function addressBytes({ family, value }: Address): Buffer {
  const bytes = Buffer.alloc(bitsOf(family) / 8);
  if (family === 4) {
    bytes.writeUInt32BE(Number(value));
  } else {
    bytes.writeBigUInt64BE(value >> 64n, 0);
    bytes.writeBigUInt64BE(value & 0xffffffffffffffffn, 8);
  }
  return bytes;
}

/** From 4 or 16 bytes in network order; throws AddressError for any other length. */
export function addressFromBytes(bytes: Uint8Array): Address {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 4) return { family: 4, value: BigInt(buffer.readUInt32BE(0)) };
  if (buffer.length === 16) {
    return { family: 6, value: (buffer.readBigUInt64BE(0) << 64n) | buffer.readBigUInt64BE(8) };
  }
  throw new AddressError(`an address has 4 or 16 bytes, not ${buffer.length}`);
}

function hostMask({ address, length }: Prefix): bigint {
  return (1n << BigInt(bitsOf(address.family) - length)) - 1n;
}

/** The same prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  return { address: firstAddress(prefix), length: prefix.length };
}

/** The network address. */
export function firstAddress(prefix: Prefix): Address {
  return { family: prefix.address.family, value: prefix.address.value & ~hostMask(prefix) };
}

/** The last address of the prefix (the broadcast address in IPv4). */
export function lastAddress(prefix: Prefix): Address {
  return { family: prefix.address.family, value: prefix.address.value | hostMask(prefix) };
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  return (
    prefix.address.family === address.family &&
    (prefix.address.value | hostMask(prefix)) === (address.value | hostMask(prefix))
  );
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}

const LINK_LOCAL: Prefix = { address: { family: 6, value: 0xfe80n << 112n }, length: 10 };

/** Whether an IPv6 address is one of a link alone (RFC 4291, section 2.5.6). */
export function isLinkLocal(address: Address): boolean {
  return prefixContains(LINK_LOCAL, address);
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

/** The address `by` places further (negative: back); throws AddressError when that leaves the family's range. */
export function offsetAddress(address: Address, by: bigint): Address {
  const value = address.value + by;
  if (value < 0n || value >> BigInt(bitsOf(address.family)) !== 0n) {
    throw new AddressError(`${formatAddress(address)} has no neighbour at distance ${by}`);
  }
  return { family: address.family, value };
}
