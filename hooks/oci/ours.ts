/** The plugins that this program has in itself, by type; all others are executed. */
import type { Plugin } from '../../lib/cni/plugin.ts';

export async function ours(type: string): Promise<Plugin | undefined> {
  return type === 'bridge-nat' ? (await import('../../plugins/bridge-nat/main.ts')).bridgeNat : undefined;
}
