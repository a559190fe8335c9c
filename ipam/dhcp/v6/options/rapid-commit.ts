/** Two messages instead of four (RFC 9915, section 21.14). */
import { sized } from '../option.ts';
import type { OptionType } from '../option.ts';

export const rapidCommit: OptionType<true> = {
  code: 14,
  put: () => Buffer.alloc(0),
  get(data) {
    sized(data, 0, 'a rapid commit');
    return true;
  },
};
