/** Two-way descriptions of the options of DHCPv6 (RFC 9915, section 21.1): their number and what they carry. */
import { DecodeError } from '../decode-error.ts';

/** One type of option. `get` throws DecodeError and nothing else; `put` RangeError for what cannot be written. */
export interface OptionType<T> {
  /** Its number (IANA, "DHCPv6 Option Codes"). */
  readonly code: number;
  put(value: T): Buffer;
  get(data: Buffer): T;
}

/** `data` when it has exactly `size` bytes. */
export function sized(data: Buffer, size: number, what: string): Buffer {
  if (data.length !== size) throw new DecodeError(`${what} of ${data.length} bytes, not ${size}`);
  return data;
}

/** `data` when it has at least `size` bytes. */
export function atLeast(data: Buffer, size: number, what: string): Buffer {
  if (data.length < size) throw new DecodeError(`${what} of only ${data.length} bytes`);
  return data;
}

/** Hexadecimal digits as bytes; throws RangeError for anything else. */
export function hexBytes(digits: string): Buffer {
  if (!/^([0-9a-f]{2})*$/i.test(digits))
    throw new RangeError(`not hexadecimal: ${JSON.stringify(digits.slice(0, 64))}`);
  return Buffer.from(digits, 'hex');
}

export function u8(value: number): Buffer {
  const bytes = Buffer.alloc(1);
  bytes.writeUInt8(value);
  return bytes;
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

/** A number of 32 bits, in seconds most often. */
export function number32(code: number, what: string): OptionType<number> {
  return { code, put: (value) => u32(value), get: (data) => sized(data, 4, what).readUInt32BE(0) };
}
