/** From a config, and what an attachment to the network turned out to be, to what serving the network takes. Pure. */
import { formatPrefix, networkOf, parseAddress, parsePrefix } from '../../../lib/base/ip.ts';
import type { Family } from '../../../lib/base/ip.ts';
import type { Dns } from '../../../lib/cni/result.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import type { PoolConfig } from '../../../ipam/pool.ts';
import type { RangeConfig } from '../../../ipam/range.ts';
import type { DhcpServerRecord } from '../../../ipam/record.ts';
import type { BridgeNatDetail } from '../detail.ts';
import { SLAAC_LENGTH } from './config.ts';
import type { DhcpServerConfig } from './config.ts';

type OwnIpam = Extract<IpamChoice, { kind: 'netmoor' }>;

function familyOf(subnet: string): Family {
  return parsePrefix(subnet).address.family;
}

/** In the order of ipam/pool.ts. */
function rangeSets({ pool, extraRanges, automatic }: OwnIpam, subnets: readonly string[]): RangeConfig[][] {
  if (automatic) return subnets.map((subnet) => [{ subnet }]);
  const { subnet, rangeStart, rangeEnd, gateway, ranges = [] } = pool;
  const legacy = subnet ? [[{ subnet, rangeStart, rangeEnd, gateway }]] : [];
  return [...extraRanges, ...legacy, ...ranges].map((set) => set.map(compact));
}

/** JSON has no undefined. */
function compact({ subnet, rangeStart, rangeEnd, gateway }: RangeConfig): RangeConfig {
  return {
    ...(subnet ? { subnet } : {}),
    ...(rangeStart ? { rangeStart } : {}),
    ...(rangeEnd ? { rangeEnd } : {}),
    ...(gateway ? { gateway } : {}),
  };
}

function networkText(subnet = ''): string {
  return formatPrefix(networkOf(parsePrefix(subnet)));
}

/**
 * A client gets one address, of the first set of IPv4 ranges, and of the subnet in which the bridge has one; what
 * speaks of others is left out.
 */
function pool4(
  ipam: OwnIpam,
  sets: readonly (readonly RangeConfig[])[],
  { subnets: known }: BridgeNatDetail,
): PoolConfig | undefined {
  const first = sets.find((ranges) => familyOf(ranges[0]?.subnet ?? '') === 4) ?? [];
  const home = first.map(({ subnet }) => networkText(subnet)).find((subnet) => known.includes(subnet));
  const set = first.filter(({ subnet }) => networkText(subnet) === home);
  if (set.length === 0) return undefined;
  const subnets = set.map(({ subnet }) => networkText(subnet));
  const { exclude = [], reservations = {} } = ipam.pool;
  const inSet = (address: string): boolean => isInOne(subnets, address);
  const kept = Object.entries(reservations)
    .map(([identity, addresses]) => [identity, addresses.filter(inSet)] as const)
    .filter(([, addresses]) => addresses.length > 0);
  return {
    ranges: [set],
    exclude: exclude.filter((entry) => !entry.includes(':')),
    reservations: Object.fromEntries(kept),
  };
}

function isInOne(subnets: readonly string[], text: string): boolean {
  const address = parseAddress(text);
  return subnets.map(parsePrefix).some(({ address: { family }, length }, index) => {
    if (family !== address.family) return false;
    return formatPrefix(networkOf({ address, length })) === subnets[index];
  });
}

function prefixes6(sets: readonly (readonly RangeConfig[])[]): string[] {
  const subnets = sets.flat().map(({ subnet = '' }) => networkOf(parsePrefix(subnet)));
  const own = subnets.filter(({ address, length }) => address.family === 6 && length === SLAAC_LENGTH);
  return [...new Set(own.map(formatPrefix))];
}

/** What leases do not have is left out: what is a container's own, and what goes by its port. */
function leaseDetail({ bandwidth: _own, standby: _too, ...detail }: BridgeNatDetail): BridgeNatDetail {
  return { ...detail, routes: [], macSpoofCheck: false, hairpin: false, isolated: false };
}

export interface Served {
  readonly options: DhcpServerConfig;
  readonly ipam: OwnIpam;
  readonly dns: Dns;
  readonly mtu: number | undefined;
  /** As planned for a container. */
  readonly detail: BridgeNatDetail;
}

/** Undefined where nothing could be leased or announced. */
export function serverRecord({ options, ipam, dns, mtu, detail }: Served): DhcpServerRecord | undefined {
  const sets = rangeSets(ipam, detail.subnets);
  const pool = options.ipv4 === false ? undefined : pool4(ipam, sets, detail);
  const prefixes = options.ipv6 === false ? [] : prefixes6(sets);
  if (pool === undefined && prefixes.length === 0) return undefined;
  const { nameservers = [], domain, search = [] } = dns;
  return {
    leaseSeconds: options.leaseSeconds,
    gateways: detail.gateways,
    ...(pool ? { pool } : {}),
    ...(prefixes.length > 0 ? { prefixes } : {}),
    routes: detail.routes.map(({ dst, gw }) => ({ dst, ...(gw ? { gw } : {}) })),
    dns: { nameservers, search, ...(domain ? { domain } : {}) },
    ...(mtu === undefined ? {} : { mtu }),
    ports: options.ports,
    detail: leaseDetail(detail),
  };
}
