/** Text for people or programs (RFC 2132), which some servers end with NUL. No control characters: it may be shown. */
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';

function endOf(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes.readUInt8(end - 1) === 0) end--;
  return end;
}

export const text: OptionCodec<string> = {
  decode(bytes) {
    const told = bytes.subarray(0, endOf(bytes));
    if (told.length === 0) throw new DecodeError('an empty text');
    const value = isUtf8(told) ? told.toString() : '\0';
    if (/\p{Cc}/u.test(value)) throw new DecodeError('a text with bytes that are none');
    return value;
  },
  encode: (value) => Buffer.from(value),
};
