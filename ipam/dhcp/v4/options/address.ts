/** One address (subnet mask and server identifier are such): RFC 2132. Value: dotted decimal. */
import { DecodeError } from '../../decode-error.ts';
import { ipv4Bytes, ipv4Text } from '../../frame/ipv4.ts';
import type { OptionCodec } from './codec.ts';

export const address: OptionCodec<string> = {
  decode(bytes) {
    if (bytes.length !== 4) throw new DecodeError(`an address of ${bytes.length} bytes`);
    return ipv4Text(bytes);
  },
  encode: ipv4Bytes,
};
