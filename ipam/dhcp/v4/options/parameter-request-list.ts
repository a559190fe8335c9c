/** Option 55 (RFC 2132, section 9.8): codes of options, the wanted ones first. */
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

export const parameterRequestList: OptionCodec<readonly number[]> = {
  decode(bytes) {
    if (bytes.length === 0) throw new DecodeError('a request for nothing');
    return [...bytes];
  },
  encode: (codes) => Buffer.from(codes),
};
