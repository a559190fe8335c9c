/** What every command of netmoor as an IPAM plugin begins with: config, key, store, pool. */
import { readIpamConfig } from '../lib/cni/ipam-config.ts';
import type { IpamConfig } from '../lib/cni/ipam-config.ts';
import type { Context } from '../lib/cni/plugin.ts';
import type { PoolSource } from '../ipam/lease.ts';
import type { AttachmentKey } from '../ipam/record.ts';
import { noteStore } from '../ipam/store/known.ts';
import { openStore } from '../ipam/store/open.ts';
import type { LeaseStore } from '../ipam/store/store.ts';

/** What records are filed under whose addresses another plugin uses. */
export const PLUGIN = 'netmoor';

export function readConfig({ config }: Context): IpamConfig {
  return readIpamConfig(config.ipam ?? {});
}

export function keyOf({ config, request }: Context): AttachmentKey {
  return { network: config.name, containerId: request.containerId, ifname: request.ifname };
}

/** DEL goes on with a `dataDir` that is of no use as with none. */
export function storeOf({ config, world }: Context): LeaseStore {
  const named = config.ipam?.['dataDir'];
  const dir = typeof named === 'string' && named !== '' ? named : world.storeDirectory;
  if (dir !== world.storeDirectory) noteStore(dir);
  return openStore({ dir, bootId: world.bootId, now: world.monotonic });
}

/** Addresses are unique in the network, whatever interfaces the main plugin makes of it. */
export function sourceOf(
  { config }: Context,
  ipam: IpamConfig,
  subnets: readonly string[] | undefined,
): PoolSource {
  return {
    scope: `network ${config.name}`,
    config: ipam,
    extraRanges: config.runtimeConfig.ipRanges,
    subnets,
  };
}
