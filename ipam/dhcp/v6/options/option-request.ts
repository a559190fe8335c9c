/** Options the client wants to be told, by their numbers (RFC 9915, section 21.7). */
import { DecodeError } from '../../decode-error.ts';
import { u16 } from '../option.ts';
import type { OptionType } from '../option.ts';

export const optionRequest: OptionType<readonly number[]> = {
  code: 6,
  put: (codes) => Buffer.concat(codes.map(u16)),
  get(data) {
    if (data.length % 2 !== 0) throw new DecodeError(`a list of options of ${data.length} bytes`);
    return Array.from({ length: data.length / 2 }, (_, index) => data.readUInt16BE(2 * index));
  },
};
