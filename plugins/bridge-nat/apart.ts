/**
 * Subnets that somebody else has: another network of netmoor, or the host itself on another interface. The host would
 * have two ways to one address, of which it takes one, and the bridge might take a router's address.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import {
  bitsOf,
  formatPrefix,
  networkOf,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  sameAddress,
} from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { ALIAS } from '../../lib/mooring/marks.ts';
import { knownRecords } from '../../lib/mooring/records.ts';
import { RivalError } from '../../lib/mooring/rival.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { RT_SCOPE_LINK } from '../../lib/netlink/route.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { readSysctlIfPresent } from '../../lib/system/sysctl.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { KIND, readDetail } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';
import { mayShareSubnet } from './bridge/ndp-proxy.ts';

/** The prefixes that are new to the network: who is on it already goes on. */
function newSubnets(tx: StoreReader, record: BridgeNatRecord): Prefix[] {
  const { network, segment, detail } = record;
  const isRunning = tx.hasOther(record, { network, ...(segment === undefined ? {} : { segment }) });
  const known = isRunning ? (tx.network(network)?.subnets ?? []) : [];
  return detail.subnets.filter((subnet) => !known.includes(subnet)).map(parsePrefix);
}

/** Whether the host is on that network: on one of layer 2 alone, or with a router of its own, addresses are its own. */
function isHostOn(tx: StoreReader, { name, plugin }: NetworkRecord): boolean {
  if (plugin !== KIND) return true;
  const records = knownRecords({ name: KIND, readDetail }, tx.attachments({ network: name, plugin: KIND }));
  return records.length === 0 || records.some(({ detail }) => detail.gateways.length > 0);
}

/** Networks on one bridge share what they like. */
function refuseNetworks(tx: StoreReader, record: BridgeNatRecord, wanted: readonly Prefix[]): void {
  const others = tx.networks().filter(({ name, segment }) => {
    return name !== record.network && segment !== record.segment;
  });
  for (const other of others) {
    const theirs = other.subnets.find((subnet) =>
      wanted.some((prefix) => prefixesOverlap(prefix, parsePrefix(subnet))),
    );
    if (theirs === undefined || !isHostOn(tx, other)) continue;
    const ours = wanted.filter((prefix) => prefixesOverlap(prefix, parsePrefix(theirs))).map(formatPrefix);
    const unused = tx.attachments({ network: other.name }).length === 0;
    throw new RivalError(
      other.name,
      `${ours.join(', ')} of network ${record.network} overlaps ${theirs} of network ${other.name} ` +
        `on ${other.segment ?? 'another segment'}`,
      unused
        ? `choose another subnet, or run "netmoor networks --forget ${other.name}", which nothing is attached to`
        : 'choose another subnet, or give both networks the same "bridge"',
    );
  }
}

/** The host answers there for those who are behind it (proxy_arp, proxy_ndp): part of a network may lie elsewhere. */
function isProxied(link: Link, ours: Prefix, theirs: Prefix): boolean {
  if (ours.length <= theirs.length) return false;
  const [tree, key] = ours.address.family === 4 ? ['ipv4', 'proxy_arp'] : ['ipv6', 'proxy_ndp'];
  return ['all', link.name].some((name) => {
    const answers = readSysctlIfPresent('net', tree, 'conf', name, key);
    return answers !== undefined && answers !== '0';
  });
}

interface HostAddress {
  readonly link: Link;
  readonly prefix: Prefix;
}

/** What the host has beside the bridge, and beside the bridge's ports, which are on the same network. */
function addressesBeside({ route }: Host, bridge: string | undefined): HostAddress[] {
  const own = bridge === undefined ? undefined : findLink(route, bridge);
  return listAddresses(route, 0).flatMap(({ index, prefix, scope }): HostAddress[] => {
    // Of link-local prefixes every interface has its own.
    if (index === own?.index || scope === RT_SCOPE_LINK) return [];
    const link = findLink(route, index);
    return link === undefined || (own !== undefined && link.master === own.index) ? [] : [{ link, prefix }];
  });
}

function refuseHost(host: Host, record: BridgeNatRecord, wanted: readonly Prefix[]): void {
  const gateways = record.detail.gateways.map(parsePrefix);
  const stands = ({ link, prefix }: HostAddress, ours: Prefix): boolean => {
    if (!prefixesOverlap(ours, prefix)) return false;
    const single = prefix.length === bitsOf(prefix.address.family);
    // The gateway's address on another interface as well, without a network: as hosts with one address have it.
    if (single) return !gateways.some(({ address }) => sameAddress(address, prefix.address));
    return !isProxied(link, ours, prefix) && !mayShareSubnet(record.detail, ours, link.name, prefix);
  };
  for (const found of addressesBeside(host, record.segment)) {
    const ours = wanted.find((prefix) => stands(found, prefix));
    if (ours === undefined) continue;
    const { link, prefix } = found;
    const within = prefixContains(networkOf(prefix), ours.address) ? 'lies in' : 'contains';
    throw new NetmoorError(
      'subnet-taken',
      `${formatPrefix(ours)} of network ${record.network} ${within} a network the host is on: ` +
        `interface ${link.name} has ${formatPrefix(prefix)}`,
      link.alias === ALIAS
        ? `choose another subnet; "netmoor gc" removes ${link.name} if no network needs it any more`
        : `choose another subnet, or name the bridge that ${link.name} is a port of`,
    );
  }
}

/**
 * Throws NetmoorError('subnet-taken') naming network or interface when one has addresses of the record's subnets.
 * Inside the transaction that puts it on record. Where the bridge has no address the host is not concerned.
 */
export function refuseOverlaps(host: Host, tx: StoreReader, record: BridgeNatRecord): void {
  if (record.detail.gateways.length === 0) return;
  const wanted = newSubnets(tx, record);
  if (wanted.length === 0) return;
  refuseNetworks(tx, record, wanted);
  refuseHost(host, record, wanted);
}
