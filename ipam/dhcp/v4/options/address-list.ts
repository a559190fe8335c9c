/** Addresses, the preferred ones first: RFC 2132. At least one. */
import { DecodeError } from '../../decode-error.ts';
import { ipv4Bytes, ipv4Text } from '../../frame/ipv4.ts';
import type { OptionCodec } from './codec.ts';

export const addressList: OptionCodec<readonly string[]> = {
  decode(bytes) {
    if (bytes.length === 0 || bytes.length % 4 !== 0)
      throw new DecodeError(`addresses of ${bytes.length} bytes`);
    return Array.from({ length: bytes.length / 4 }, (_, index) => ipv4Text(bytes.subarray(index * 4)));
  },
  encode: (addresses) => Buffer.concat(addresses.map(ipv4Bytes)),
};
