/** macvlan-v6 as a CNI plugin, and as a kind for whoever works on what it has on record. */
import { pluginOf } from '../../lib/mooring/verbs.ts';
import { macvlanV6 } from './kind.ts';

export const kind = macvlanV6;

export const plugin = pluginOf(macvlanV6);
