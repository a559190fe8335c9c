/** Option 61 (RFC 2132, section 9.14): a type and at least one more byte. Value: hexadecimal, the type first. */
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

export const clientIdentifier: OptionCodec<string> = {
  decode(bytes) {
    if (bytes.length < 2) throw new DecodeError(`a client identifier of ${bytes.length} bytes`);
    return bytes.toString('hex');
  },
  encode: (hex) => Buffer.from(hex, 'hex'),
};
