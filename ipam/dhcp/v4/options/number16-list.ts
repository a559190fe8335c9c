/** Numbers of two bytes, such as the plateaus of path MTU discovery (RFC 2132, section 4.7). At least one. */
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

export const number16List: OptionCodec<readonly number[]> = {
  decode(bytes) {
    if (bytes.length === 0 || bytes.length % 2 !== 0)
      throw new DecodeError(`numbers of ${bytes.length} bytes`);
    return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(index * 2));
  },
  encode(values) {
    const bytes = Buffer.alloc(values.length * 2);
    for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
    return bytes;
  },
};
