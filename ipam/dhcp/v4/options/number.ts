/** Unsigned numbers of one, two and four bytes: RFC 2132. */
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

function numberOf(size: number): OptionCodec<number> {
  return {
    decode(bytes) {
      if (bytes.length !== size) throw new DecodeError(`a number of ${bytes.length} bytes, not ${size}`);
      return bytes.readUIntBE(0, size);
    },
    encode(value) {
      const bytes = Buffer.alloc(size);
      bytes.writeUIntBE(value, 0, size);
      return bytes;
    },
  };
}

export const number8: OptionCodec<number> = numberOf(1);
export const number16: OptionCodec<number> = numberOf(2);
/** Times are in seconds, 0xffffffff for ever. */
export const number32: OptionCodec<number> = numberOf(4);
