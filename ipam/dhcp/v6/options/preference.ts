/** How much a server wants to be chosen, 0 to 255 (RFC 9915, section 21.8). */
import { sized, u8 } from '../option.ts';
import type { OptionType } from '../option.ts';

export const preference: OptionType<number> = {
  code: 7,
  put: u8,
  get: (data) => sized(data, 1, 'a preference').readUInt8(0),
};
