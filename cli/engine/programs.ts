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

/** Further ones, in the threads of theirs. */
const FURTHER: ReadonlyMap<string, readonly [Lane, () => Promise<Plugin>]> = new Map([
  [IPAM, ['inner', async () => (await import('../../plugins/netmoor-ipam/main.ts')).netmoorIpam]],
  ['host-local', ['inner', async () => (await import('../../plugins/netmoor-ipam/host-local.ts')).hostLocal]],
  ['bridge', ['main', async () => (await import('../../plugins/bridge-nat/reference.ts')).referenceBridge]],
  ['loopback', ['main', async () => (await import('../../plugins/loopback/main.ts')).loopback]],
]);

export function laneOf(program: string): Lane | undefined {
  return KINDS.has(program) || program === HOOK ? 'main' : FURTHER.get(program)?.[0];
}

export async function pluginOf(program: string): Promise<Plugin | undefined> {
  return (await KINDS.get(program)?.())?.plugin ?? (await FURTHER.get(program)?.[1]());
}
