/** Addresses from netmoor's own store: of the config's ranges, or of subnets that netmoor picks for the network itself. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseResolvConf } from '../../lib/cni/dns.ts';
import { listDestinations } from '../../lib/netlink/route.ts';
import { hasIpv6 } from '../../lib/system/sysctl.ts';
import { subnetChoice } from '../../ipam/automatic.ts';
import type { SubnetChoice } from '../../ipam/automatic.ts';
import { leaseAddresses } from '../../ipam/lease.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { StoreTransaction } from '../../ipam/store/store.ts';
import type { AttachRequest } from './attach.ts';
import type { Host } from './detach.ts';
import type { Leased } from './plan.ts';
import { reclaimDead } from './reclaim.ts';

/** Addresses on one bridge are unique whatever networks share it. */
export function scopeOf(bridge: string): string {
  return `bridge ${bridge}`;
}

/** How the network comes by its subnets, for a config that names no range; undefined for one that does. */
async function automaticSubnets(host: Host, request: AttachRequest): Promise<SubnetChoice | undefined> {
  const { bridge, config, context, key } = request;
  if (config.ipam.kind !== 'netmoor' || !config.ipam.automatic) return undefined;
  const { world } = context;
  return subnetChoice(host.store, {
    network: { name: key.network, plugin: 'bridge-nat', bridge, createdAt: world.now() },
    machineId: world.machineId,
    ipv6: hasIpv6(),
    routed: () => listDestinations(host.route),
  });
}

const WORTH_RECLAIMING = ['pool-exhausted', 'address-taken', 'port-taken'];

/**
 * Leases addresses and completes the record in one transaction. When what is wanted is held by the dead, they are cleared
 * away and it is tried once more.
 */
export async function leaseFromStore<T>(
  host: Host,
  request: AttachRequest,
  previous: AttachmentRecord | undefined,
  complete: (tx: StoreTransaction, leased: Leased) => T,
): Promise<T> {
  const { bridge, config, context, key } = request;
  const { ipam, containerName, requestedAddresses: requested } = config;
  if (ipam.kind !== 'netmoor') throw new TypeError('the addresses of this network are not from the store');
  const chooseSubnets = await automaticSubnets(host, request);
  const dns = ipam.pool.resolvConf ? parseResolvConf(context.world.readText(ipam.pool.resolvConf)) : {};
  const wanted = {
    requested,
    identities: [key.containerId, ...(containerName === undefined ? [] : [containerName])],
  };
  const lease = (): T =>
    host.store.write((tx) => {
      const subnets = chooseSubnets?.(tx);
      const source = { scope: scopeOf(bridge), config: ipam.pool, extraRanges: ipam.extraRanges, subnets };
      return complete(tx, { ...leaseAddresses(tx, source, wanted, previous?.addresses), dns });
    });
  try {
    return lease();
  } catch (error) {
    const worth = error instanceof NetmoorError && WORTH_RECLAIMING.includes(error.kind);
    if (!worth || reclaimDead(host, { bridge }, context.world.bootId) === 0) throw error;
    return lease();
  }
}
