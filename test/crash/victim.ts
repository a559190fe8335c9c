/** A main plugin from source, struck at a named step by the first two arguments of the process, see fate.ts. */
import { dispatch } from '../../lib/cni/dispatch.ts';
import { readStdin } from '../../lib/cni/entry.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import { fatefulWorld } from './fate.ts';

/** Answers one call, as the executable would. */
export async function playVictim(plugin: Plugin): Promise<void> {
  const [, , fatal, fate] = process.argv;
  const world = fatefulWorld(fatal, fate);
  const answer = await dispatch(plugin, { environment: process.env, readStdin }, world);
  process.stdout.write(answer.stdout);
  process.stderr.write(answer.stderr);
  process.exitCode = answer.exitCode;
}
