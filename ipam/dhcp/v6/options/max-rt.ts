/** The most seconds between two SOLICITs or INFORMATION-REQUESTs (RFC 9915, sections 21.24 and 21.25). */
import { number32 } from '../option.ts';

export const solMaxRt = number32(82, 'a SOL_MAX_RT');
export const infMaxRt = number32(83, 'an INF_MAX_RT');
