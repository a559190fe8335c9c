/** Addresses that are leased together (RFC 9915, section 21.4). */
import { often, once, optionSet } from '../option-set.ts';
import type { Values } from '../option-set.ts';
import { iaAddress } from './ia-address.ts';
import { association } from './ia.ts';
import type { Ia } from './ia.ts';
import { statusCode } from './status-code.ts';

const options = optionSet({ addresses: often(iaAddress), status: once(statusCode) });

export type IaNa = Ia<Values<typeof options>>;

export const iaNa = association(3, options);
