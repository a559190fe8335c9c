/**
 * The `netmoor` command from source, struck at a named step: `netmoor-victim.ts STEP FATE ARGUMENT...`, see fate.ts.
 */
import { answer } from '../../cli/netmoor.ts';
import { fatefulWorld } from './fate.ts';

const [, , fatal, fate, ...args] = process.argv;

const line = { args, columns: undefined, environment: process.env };
const { stdout, stderr, exitCode } = await answer(line, fatefulWorld(fatal, fate));
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = exitCode;
