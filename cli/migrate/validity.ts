/** Whether a runtime that is given the rewritten network would have it taken by our plugins. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { readConfig } from '../../lib/cni/config.ts';
import type { CniRequest } from '../../lib/cni/environment.ts';
import { rephrased } from '../../lib/cni/errors.ts';
import { deriveConfig } from '../../lib/cni/lists/derive.ts';
import type { NetworkList } from '../../lib/cni/lists/list.ts';
import { parsePool } from '../../ipam/pool.ts';
import { kindsNamed } from '../../plugins/kinds.ts';
import type { KindList } from '../../plugins/kinds.ts';

/** An ADD for nobody in particular. */
const REQUEST: CniRequest = {
  command: 'ADD',
  containerId: 'nobody',
  netns: '',
  ifname: 'eth0',
  args: new Map(),
  path: [],
  netnsOverride: false,
  environment: {},
  stdin: Buffer.from('{}'),
};

/** Throws NetmoorError saying what our plugins would refuse, and why. */
export async function requireValid(list: NetworkList, kinds: KindList): Promise<void> {
  const ours = await kindsNamed(
    kinds,
    list.plugins.map(({ type }) => String(type)),
  );
  for (const plugin of list.plugins) {
    const kind = ours.get(String(plugin['type']));
    if (kind === undefined) continue;
    try {
      const raw = deriveConfig(list, plugin, {}, undefined);
      const { ipam } = await kind.readConfig(readConfig(raw, list.cniVersion, 'ADD'), REQUEST);
      if (ipam.kind === 'netmoor' && !ipam.automatic) parsePool(ipam.pool, ipam.extraRanges);
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      throw rephrased(error, `${list.source}: ${kind.name} would refuse what it becomes: ${error.message}`);
    }
  }
}
