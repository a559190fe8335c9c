/**
 * netmoor with a main plugin more: `program.ts plugin` is the plugin, `program.ts netmoor …` the command, `program.ts
 * hook …` the hook. The list with its one line more is all that differs from the real ones.
 */
import { answerHook } from '../../../hooks/oci/main.ts';
import { answer } from '../../../cli/netmoor.ts';
import { dispatch } from '../../../lib/cni/dispatch.ts';
import { readStdin } from '../../../lib/cni/entry.ts';
import { realWorld } from '../../../lib/cni/real-world.ts';
import { pluginOf } from '../../../lib/mooring/verbs.ts';
import { KINDS, pluginsOf } from '../../../plugins/kinds.ts';
import type { KindList } from '../../../plugins/kinds.ts';
import { kind } from './kind.ts';

const LIST: KindList = new Map([...KINDS, ['toy', async () => ({ kind, plugin: pluginOf(kind) })]]);

const [program, ...args] = process.argv.slice(2);
const environment = process.env;

async function run(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  if (program === 'plugin') return dispatch(pluginOf(kind), { environment, readStdin }, realWorld());
  if (program === 'netmoor') return answer({ args, environment, columns: undefined }, realWorld(), LIST);
  const stdin = await readStdin();
  return { stdout: '', ...(await answerHook({ args, stdin }, { ours: pluginsOf(LIST) })) };
}

const { exitCode, stdout, stderr } = await run();
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = exitCode;
