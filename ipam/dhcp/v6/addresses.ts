/** IPv6 addresses in options: 16 bytes; as text RFC 5952. */
import {
  AddressError,
  addressBytes,
  addressFromBytes,
  formatAddress,
  parseAddress,
} from '../../../lib/base/ip.ts';
import { DecodeError } from '../decode-error.ts';

export const ADDRESS = 16;

/** Throws AddressError for what is no IPv6 address. */
export function put6(text: string): Buffer {
  const address = parseAddress(text);
  if (address.family !== 6) throw new AddressError(`not an IPv6 address: ${text}`);
  return addressBytes(address);
}

/** The address at `at`, which must be within `data`. */
export function get6(data: Buffer, at = 0): string {
  return formatAddress(addressFromBytes(data.subarray(at, at + ADDRESS)));
}

/** Addresses one after the other; throws DecodeError when one is cut off. */
export function list6(data: Buffer, what: string): string[] {
  if (data.length % ADDRESS !== 0) throw new DecodeError(`${what} of ${data.length} bytes`);
  return Array.from({ length: data.length / ADDRESS }, (_, index) => get6(data, index * ADDRESS));
}
