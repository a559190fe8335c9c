/** Plugins of the reference that netmoor is in the place of, where it is told to (`netmoor install --names`). */
import type { Plugin } from '../lib/cni/plugin.ts';

export const STAND_INS: ReadonlyMap<string, () => Promise<Plugin>> = new Map([
  ['bridge', async () => (await import('../plugins/bridge-nat/reference.ts')).referenceBridge],
  ['host-local', async () => (await import('../plugins/netmoor-ipam/host-local.ts')).hostLocal],
]);
