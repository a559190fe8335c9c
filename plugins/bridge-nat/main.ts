/** bridge-nat as a CNI plugin, and as a kind for whoever works on what it has on record. */
import { pluginOf } from '../../lib/mooring/verbs.ts';
import { bridgeNat } from './kind.ts';

export const kind = bridgeNat;

export const plugin = pluginOf(bridgeNat);
