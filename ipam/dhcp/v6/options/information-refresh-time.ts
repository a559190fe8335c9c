/** When to ask again for what was only told, in seconds (RFC 9915, section 21.23). */
import { number32 } from '../option.ts';

export const informationRefreshTime = number32(32, 'a refresh time');
