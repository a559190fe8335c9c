/** bridge-nat from source, struck at a named step: `bridge-nat-victim.ts [STEP [FATE]]`, see fate.ts. */
import { plugin } from '../../plugins/bridge-nat/main.ts';
import { playVictim } from './victim.ts';

await playVictim(plugin);
