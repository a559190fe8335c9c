/** What kind of user the client serves: a list of bytes in hexadecimal (RFC 9915, section 21.15). */
import { listed, unlisted } from '../opaque-list.ts';
import type { OptionType } from '../option.ts';

export const userClass: OptionType<readonly string[]> = { code: 15, put: unlisted, get: listed };
