/** bridge-nat from source, struck at a named step: `bridge-nat-victim.ts [STEP [FATE]]`, see fate.ts. */
import { readStdin } from '../../lib/cni/entry.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { plugin } from '../../plugins/bridge-nat/main.ts';
import { fatefulWorld } from './fate.ts';

const [, , fatal, fate] = process.argv;

const answer = await dispatch(plugin, { environment: process.env, readStdin }, fatefulWorld(fatal, fate));
process.stdout.write(answer.stdout);
process.stderr.write(answer.stderr);
process.exitCode = answer.exitCode;
