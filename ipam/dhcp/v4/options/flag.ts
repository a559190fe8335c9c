/** An option that says all by being there, such as rapid commit (RFC 4039). */
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

export const flag: OptionCodec<true> = {
  decode(bytes) {
    if (bytes.length > 0) throw new DecodeError(`${bytes.length} bytes where none belong`);
    return true;
  },
  encode: () => Buffer.alloc(0),
};
