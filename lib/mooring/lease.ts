/**
 * Addresses from netmoor's own store: of the config's ranges, or of subnets that netmoor picks for the network itself.
 */
import { NetmoorError } from '../base/errors.ts';
import { parseResolvConf } from '../cni/dns.ts';
import { listAddresses } from '../netlink/address.ts';
import { findLink } from '../netlink/link.ts';
import { listDestinations } from '../netlink/route.ts';
import { hasIpv6 } from '../system/sysctl.ts';
import { subnetChoice } from '../../ipam/automatic.ts';
import type { SubnetChoice } from '../../ipam/automatic.ts';
import { leaseAddresses, noneIsNew } from '../../ipam/lease.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { StoreTransaction } from '../../ipam/store/store.ts';
import { reclaimDead } from './collect.ts';
import type { Host } from './host.ts';
import type { IpamChoice } from './ipam.ts';
import type { Kind, Leased, MooringConfig, Request } from './kind.ts';
import { clearingRivals } from './rival.ts';
import { isOneOfSeveral } from './stores.ts';
import { refuseBarred } from './strangers.ts';

type OwnIpam = Extract<IpamChoice, { kind: 'netmoor' }>;

/** How the network comes by its subnets, for a config that names no range; undefined for one that does. */
async function automaticSubnets(
  { name }: Pick<Kind, 'name'>,
  host: Host,
  { key, segment }: Request<MooringConfig>,
  { automatic }: OwnIpam,
): Promise<SubnetChoice | undefined> {
  if (!automatic) return undefined;
  const { world } = host;
  const network = {
    version: RECORD_VERSION,
    name: key.network,
    plugin: name,
    segment,
    createdAt: world.now(),
  };
  return subnetChoice(host.store, {
    network,
    machineId: world.machineId,
    ipv6: hasIpv6(),
    routed: () => [
      ...listDestinations(host.route),
      // Those of interfaces that are down, or have no route by their addresses, too.
      ...listAddresses(host.route, 0).map(({ prefix }) => prefix),
    ],
  });
}

const WORTH_RECLAIMING = ['pool-exhausted', 'address-taken', 'port-taken'];

/**
 * Leases addresses and completes the record in one transaction. When what is wanted is held by the dead, they are
 * cleared away and it is tried once more.
 */
export async function leaseFromStore<T>(
  kind: Kind,
  host: Host,
  request: Request<MooringConfig>,
  ipam: OwnIpam,
  previous: AttachmentRecord | undefined,
  complete: (tx: StoreTransaction, leased: Leased) => T,
): Promise<T> {
  const { config, key, segment, barred } = request;
  const { containerName, requestedAddresses: requested } = config;
  const chooseSubnets = await automaticSubnets(kind, host, request, ipam);
  const { resolvConf } = ipam.pool;
  const dns = resolvConf ? parseResolvConf(host.world.readText(resolvConf)) : {};
  const wanted = {
    requested,
    identities: [key.containerId, ...(containerName === undefined ? [] : [containerName])],
  };
  refuseBarred(requested, barred ?? new Map());
  const { exclude = [] } = ipam.pool;
  const pool = barred?.size ? { ...ipam.pool, exclude: [...exclude, ...barred.keys()] } : ipam.pool;
  // On a segment that is not there nobody can be.
  const isBlank = (): boolean => findLink(host.route, segment) === undefined;
  const leaseOnce = (): T =>
    host.store.intend((tx) => {
      const subnets = chooseSubnets?.(tx);
      const scope = kind.scopeOf(segment);
      const source = { scope, config: pool, extraRanges: ipam.extraRanges, subnets, isBlank };
      // What strangers have there, and what other stores give out, is not on file here, nor when they are gone.
      if (barred !== undefined || isOneOfSeveral(host.dir, host.world)) noneIsNew(tx, scope);
      return complete(tx, { ...leaseAddresses(tx, source, wanted, previous?.addresses), dns });
    });
  const lease = (): T => clearingRivals(kind, host, leaseOnce);
  try {
    return lease();
  } catch (error) {
    const worth = error instanceof NetmoorError && WORTH_RECLAIMING.includes(error.kind);
    if (!worth || reclaimDead(kind, host, { segment }, true) === 0) throw error;
    return lease();
  }
}
