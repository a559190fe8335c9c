/** macvlan-v6 from source, struck at a named step: `macvlan-v6-victim.ts [STEP [FATE]]`, see fate.ts. */
import { plugin } from '../../plugins/macvlan-v6/main.ts';
import { playVictim } from './victim.ts';

await playVictim(plugin);
