/** The plugins that the engine runs in threads, by the names of their executables. */
import type { Plugin } from '../../lib/cni/plugin.ts';
import { KINDS } from '../../plugins/kinds.ts';

/**
 * Threads are of two groups, so that nobody waits for himself: a main plugin may wait for an IPAM plugin that it has
 * started as a process, and that one asks the engine, too.
 */
export type Lane = 'main' | 'inner';

export const IPAM = 'netmoor';

/** Not a plugin, though it calls some: container runtimes start it. */
export const HOOK = 'netmoor-hook';

export function laneOf(program: string): Lane | undefined {
  if (KINDS.has(program) || program === HOOK) return 'main';
  return program === IPAM ? 'inner' : undefined;
}

export async function pluginOf(program: string): Promise<Plugin | undefined> {
  if (program === IPAM) return (await import('../../plugins/netmoor-ipam/main.ts')).netmoorIpam;
  return (await KINDS.get(program)?.())?.plugin;
}
