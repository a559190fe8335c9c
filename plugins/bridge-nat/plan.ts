/** What an attachment will look like, computed before the kernel is touched: gateways, routes, record. Pure. */
import { NetmoorError } from '../../lib/base/errors.ts';
import {
  formatAddress,
  formatPrefix,
  networkOf,
  offsetAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '../../lib/base/ip.ts';
import type { Family, Prefix } from '../../lib/base/ip.ts';
import type { CniRoute } from '../../lib/cni/result.ts';
import type { Leased, Plan } from '../../lib/mooring/kind.ts';
import { firstGateway, subnetsOf, withGateways } from '../../lib/mooring/routes.ts';
import { parsePool } from '../../ipam/pool.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { BridgeNatConfig } from './config.ts';
import { isOnLan, namedGateways } from './bridge/members.ts';
import { DETAIL_VERSION, hostAccessDetail } from './detail.ts';
import type { BridgeNatDetail } from './detail.ts';
import { egressDetail } from './egress/detail.ts';
import { checkPlaces, knownBy, refuseUnheld } from './nat/places.ts';
import { forwardedPorts, natDetail, ownPairs } from './nat/record.ts';
import { refuseUnusable } from './unusable.ts';

const DEFAULT_ROUTE: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** The gateway of an address: as leased, else the first address of its network when the bridge is to be one. */
function withGateway(record: AddressRecord, isGateway: boolean): AddressRecord {
  if (record.gateway !== undefined || !isGateway) return record;
  const network = networkOf(parsePrefix(record.address));
  return { ...record, gateway: formatAddress(offsetAddress(network.address, 1n)) };
}

/**
 * The bridge's addresses come with the length of the containers' prefix: of a gateway elsewhere, the host would have no
 * way to its containers. That of an IPAM plugin of others is known only now.
 */
function requireInside({ address, gateway }: AddressRecord): void {
  if (gateway === undefined) return;
  const prefix = parsePrefix(address);
  const router = parseAddress(gateway);
  if (router.family === prefix.address.family && prefixContains(prefix, router)) return;
  throw new NetmoorError(
    'bad-config',
    `the gateway ${gateway} is not in ${formatPrefix(networkOf(prefix))}, the network of ${address}`,
    'the bridge is to be the gateway: give it an address inside, or set "isGateway" to false if somebody else is it',
  );
}

/** The bridge's addresses: each gateway with the length of the prefix it serves. */
export function gatewaysOf(addresses: readonly AddressRecord[]): Prefix[] {
  const byText = new Map<string, Prefix>();
  for (const { address, gateway } of addresses) {
    if (gateway === undefined) continue;
    const prefix = { address: parseAddress(gateway), length: parsePrefix(address).length };
    byText.set(formatPrefix(prefix), prefix);
  }
  return [...byText.values()];
}

interface Subnets {
  /** The bridge's addresses. */
  readonly gateways: readonly Prefix[];
  readonly subnets: readonly string[];
}

/**
 * All subnets of a set of ranges are of one network: the bridge is the gateway in each from the first container on,
 * whichever of them that one's address came from, and between them there is no NAT.
 */
function subnetsOfSets({ ipam }: BridgeNatConfig): Subnets {
  if (ipam.kind !== 'netmoor') return { gateways: [], subnets: [] };
  const sets = [...(ipam.pool.ranges ?? []), ...ipam.extraRanges];
  if (sets.every((set) => set.length < 2)) return { gateways: [], subnets: [] };
  const ranges = parsePool(ipam.pool, ipam.extraRanges)
    .sets.filter((set) => set.length > 1)
    .flat();
  return {
    gateways: ranges.map(({ subnet, gateway }) => ({ address: gateway, length: subnet.length })),
    subnets: ranges.map(({ subnet }) => formatPrefix(subnet)),
  };
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function familyOf(route: CniRoute): Family {
  return parsePrefix(route.dst).address.family;
}

function isDefault(route: CniRoute): boolean {
  return parsePrefix(route.dst).length === 0;
}

/** Configured routes with their gateways filled in, and a default route per family where one is ours to add. */
function routesOf(config: BridgeNatConfig, leased: Leased, addresses: readonly AddressRecord[]): CniRoute[] {
  const routes = withGateways(leased.routes ?? [], addresses);
  const addDefaults = config.isDefaultGateway || (leased.routes === undefined && config.isGateway);
  const named =
    leased.routes === undefined && isOnLan(config.members) ? namedGateways(config.ipam) : undefined;
  for (const family of ([4, 6] as const).filter((each) => addDefaults || named?.has(each))) {
    const gateway = firstGateway(addresses, family);
    const present = routes.some((route) => isDefault(route) && familyOf(route) === family);
    if (gateway !== undefined && !present) routes.push({ dst: DEFAULT_ROUTE[family], gw: gateway });
  }
  return routes;
}

function isolationOf({ isolation, ipam }: BridgeNatConfig): Partial<BridgeNatDetail> {
  const { apart, joined, spoofchk, allowServers, hostAccess } = isolation;
  return {
    apart,
    ...(joined.length > 0 ? { joined: [...joined] } : {}),
    // A layer 2 network knows no addresses.
    ...(spoofchk && ipam.kind !== 'none' ? { addressSpoofCheck: true } : {}),
    noServers: !allowServers,
    ...hostAccessDetail(hostAccess),
  };
}

/** What the configuration could not tell of where it leads. */
function checkTargets({ ipam, nat }: BridgeNatConfig, addresses: readonly AddressRecord[]): void {
  if (nat === undefined || addresses.length === 0) return;
  const known = knownBy(addresses);
  if (ipam.kind === 'netmoor' && ipam.automatic) checkPlaces(nat, known);
  refuseUnheld(nat, known);
}

/** The addresses of the record, and what bridge-nat keeps beside them. */
export function planAttachment(config: BridgeNatConfig, leased: Leased): Plan<BridgeNatDetail> {
  const addresses = leased.addresses.map((record) => withGateway(record, config.isGateway));
  if (config.isGateway) for (const each of addresses) requireInside(each);
  refuseUnusable(config, addresses);
  const all = subnetsOfSets(config);
  const gateways = [...gatewaysOf(addresses), ...all.gateways].map(formatPrefix);
  const forwards = config.nat?.forwards ?? [];
  const held = addresses.map(({ address }) => parsePrefix(address));
  checkTargets(config, addresses);
  const ports = forwardedPorts(forwards, held);
  const nat = natDetail(config.nat, config.ipMasqFamily);
  const reached = config.portMappings.length + ports.length + ownPairs(nat, held).length > 0;
  return {
    addresses,
    ports,
    detail: {
      version: DETAIL_VERSION,
      subnets: distinct([...subnetsOf(addresses), ...all.subnets]),
      gateways: config.isGateway ? distinct(gateways) : [],
      routes: routesOf(config, leased, addresses),
      masquerade: config.ipMasq,
      ingressPolicy: config.ingressPolicy,
      macSpoofCheck: config.macspoofchk || config.isolation.spoofchk,
      ...isolationOf(config),
      keepBridge: config.keepBridge,
      // Where bridged packets pass the IP hooks (br_netfilter), a container that calls its own published port is
      // answered by the very port it came from (br_nf_pre_routing_finish_bridge).
      hairpin: config.hairpinMode || (reached && !config.promiscMode),
      isolated: config.portIsolation,
      ...(config.disableContainerInterface ? { leftDown: true } : {}),
      ...(config.members.length > 0 ? { members: config.members.map((member) => ({ ...member })) } : {}),
      ...(config.ndpProxy ? { ndpProxy: [...config.ndpProxy] } : {}),
      ...(config.bandwidth ? { bandwidth: config.bandwidth } : {}),
      ...(config.egress ? { egress: egressDetail(config.egress, distinct(gateways)) } : {}),
      ...(config.tuning ? { tuning: config.tuning } : {}),
      ...(config.sourceRouting ? { sourceRouting: config.sourceRouting } : {}),
      ...(config.vlans ? { vlans: config.vlans } : {}),
      ...(nat ? { nat } : {}),
    },
  };
}
