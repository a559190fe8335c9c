/** The plugins that the engine runs in threads, by the names of their executables. */
import type { Plugin } from '../../lib/cni/plugin.ts';
import { KINDS } from '../../plugins/kinds.ts';
import { STAND_INS } from '../stand-ins.ts';

/**
 * Threads are of two groups, so that nobody waits for himself: a main plugin may wait for an IPAM plugin that it has
 * started as a process, and that one asks the engine, too.
 */
export type Lane = 'main' | 'inner';

export const IPAM = 'netmoor';

/** Not a plugin, though it calls some: container runtimes start it. */
export const HOOK = 'netmoor-hook';

const FURTHER: ReadonlyMap<string, () => Promise<Plugin>> = new Map([
  [IPAM, async () => (await import('../../plugins/netmoor-ipam/main.ts')).netmoorIpam],
  ['loopback', async () => (await import('../../plugins/loopback/main.ts')).loopback],
  ...STAND_INS,
]);

const IPAM_PLUGINS: readonly string[] = [IPAM, 'host-local'];

export function laneOf(program: string): Lane | undefined {
  if (KINDS.has(program) || program === HOOK) return 'main';
  if (!FURTHER.has(program)) return undefined;
  return IPAM_PLUGINS.includes(program) ? 'inner' : 'main';
}

export async function pluginOf(program: string): Promise<Plugin | undefined> {
  return (await KINDS.get(program)?.())?.plugin ?? (await FURTHER.get(program)?.());
}
