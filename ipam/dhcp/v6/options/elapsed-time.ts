/** Since when the client has been asking, in hundredths of a second (RFC 9915, section 21.9); 0xffff: that or more. */
import { sized, u16 } from '../option.ts';
import type { OptionType } from '../option.ts';

export const elapsedTime: OptionType<number> = {
  code: 8,
  put: u16,
  get: (data) => sized(data, 2, 'an elapsed time').readUInt16BE(0),
};
