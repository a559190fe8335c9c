/** Prefixes that are delegated together (RFC 9915, section 21.21). */
import { often, once, optionSet } from '../option-set.ts';
import type { Values } from '../option-set.ts';
import { iaPrefix } from './ia-prefix.ts';
import { association } from './ia.ts';
import type { Ia } from './ia.ts';
import { statusCode } from './status-code.ts';

const options = optionSet({ prefixes: often(iaPrefix), status: once(statusCode) });

export type IaPd = Ia<Values<typeof options>>;

export const iaPd = association(25, options);
