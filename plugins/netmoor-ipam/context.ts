/** What every command of netmoor as an IPAM plugin begins with: config, key, store, pool. */
import { readIpamConfig } from '../../lib/cni/ipam-config.ts';
import type { IpamConfig } from '../../lib/cni/ipam-config.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import { storeFor } from '../../lib/mooring/host.ts';
import { dataDirOf } from '../../lib/mooring/ipam-type.ts';
import type { PoolSource } from '../../ipam/lease.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';

/** What records are filed under whose addresses another plugin uses. */
export const PLUGIN = 'netmoor';

export function readConfig({ config }: Context): IpamConfig {
  return readIpamConfig(config.ipam ?? {});
}

/** DEL goes on with a `dataDir` that is of no use as with none. */
export function storeOf({ config, world }: Context): LeaseStore {
  return storeFor(dataDirOf(config.ipam), world).store;
}

/** Addresses are unique in the network, whatever interfaces the main plugin makes of it. */
export function scopeOf(network: string): string {
  return `network ${network}`;
}

export function sourceOf(
  { config }: Context,
  ipam: IpamConfig,
  subnets: readonly string[] | undefined,
): PoolSource {
  return {
    scope: scopeOf(config.name),
    config: ipam,
    extraRanges: config.runtimeConfig.ipRanges,
    subnets,
  };
}
