/** The plugins that a hook or the command line runs in its own process, by type; each is loaded when it is first needed. */
import type { Plugin } from '../lib/cni/plugin.ts';

const PLUGINS: ReadonlyMap<string, () => Promise<Plugin>> = new Map([
  ['bridge-nat', async () => (await import('./bridge-nat/main.ts')).bridgeNat],
]);

/** Undefined for a type that is not ours. */
export async function inProcess(type: string): Promise<Plugin | undefined> {
  return PLUGINS.get(type)?.();
}
