/**
 * Records made again from the kernel: the guard's elements bear their owner's name, his MAC and his addresses, and
 * stand on the host, where no container reaches them; a macvlan with that MAC address in some namespace shows that he
 * lives. What neither tells (routes, dns, a namespace's path) is left out; DEL, GC and further ADDs need none of it.
 */
import { formatAddress, formatPrefix, isLinkLocal, parsePrefix } from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { World } from '../../lib/cni/world.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { ownerKey, parseLabel } from '../../lib/mooring/label.ts';
import { here } from '../../lib/mooring/vantage.ts';
import { findLink, glimpseLinks } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listNsids } from '../../lib/netlink/nsid.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { portsOnRecord } from '../../lib/nftables/guard/holdings.ts';
import type { PortOnRecord } from '../../lib/nftables/guard/holdings.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import { subnetsOf } from '../../lib/mooring/routes.ts';
import type { AddressRecord, AttachmentKey } from '../../ipam/record.ts';
import { hasHostLink } from './access.ts';
import { DETAIL_VERSION, KIND } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';
import { standsOnHost } from './own.ts';
import type { Own } from './own.ts';

const LOWER_HALF = (1n << 64n) - 1n;

/** How a macvlan is found: two masters may have one of the same MAC address each. */
export function placeOf(mac: string | undefined, masterIndex: number | undefined): string {
  return `${mac} on ${masterIndex}`;
}

/** Of those with one MAC address on one master a single one can be up (macvlan_open). */
function isUp({ flags }: Link): boolean {
  return (flags & IFF_UP) !== 0;
}

/**
 * Every macvlan on an interface of the host, in whatever namespace that the host knows, by placeOf(). Whoever is root
 * in a container may give the MAC address of another one to a macvlan of his own, which stays down.
 */
export function livingMacvlans(route: NetlinkSocket): Map<string, Own> {
  const found = new Map<string, Own>();
  const stands = standsOnHost(route);
  for (const nsid of listNsids(route))
    for (const link of glimpseLinks(route, nsid))
      if (stands(link) && (isUp(link) || !found.has(placeOf(link.mac, link.peer))))
        found.set(placeOf(link.mac, link.peer), { nsid, link });
  return found;
}

/** The length is on the label, which the container's root may have changed, to his own harm. */
function prefixOf(address: Address, { link }: Own): Prefix {
  const labelled = parseLabel(link.alias)?.addresses.map(parsePrefix) ?? [];
  const same = labelled.find((prefix) => formatAddress(prefix.address) === formatAddress(address));
  return same ?? { address, length: address.family === 6 ? 64 : 32 };
}

function addressesOf(port: PortOnRecord, own: Own, scope: string): (AddressRecord & { made: boolean })[] {
  return port.addresses
    .filter((address) => !isLinkLocal(address))
    .map((address) => {
      // Routers give what has the container's own identifier; the rest may have come from the store.
      const made = address.family === 6 && port.identifiers.includes(address.value & LOWER_HALF);
      const text = formatPrefix(prefixOf(address, own));
      return made ? { address: text, made } : { address: text, scope, made };
    });
}

/** Of a very long name the guard has a digest alone, which the label has to fit. */
function keyOf({ owner }: PortOnRecord, { link }: Own): AttachmentKey | undefined {
  const key = ownerKey(owner) ?? parseLabel(link.alias)?.key;
  return key && ownerComment(key) === owner ? key : undefined;
}

function recordOf(
  key: AttachmentKey,
  port: PortOnRecord,
  own: Own,
  segment: string,
  hostAccess: boolean,
  world: World,
): MacvlanRecord {
  const all = addressesOf(port, own, `master ${segment}`);
  const linkLocal = port.addresses.find(isLinkLocal);
  const createdAt = world.now();
  const addresses = all.map(({ made: _how, ...address }) => address);
  return {
    version: RECORD_VERSION,
    ...key,
    plugin: KIND,
    state: 'attached',
    incarnation: `recovered.${createdAt}.${own.nsid}.${own.link.index}`,
    bootId: world.bootId,
    createdAt,
    host: here(world),
    segment,
    mac: port.mac,
    mtu: own.link.mtu,
    addresses,
    ports: [],
    detail: {
      version: DETAIL_VERSION,
      subnets: subnetsOf(addresses),
      routes: [],
      mode: own.link.macvlan?.mode ?? 'bridge',
      linkInContainer: false,
      masterIndex: port.master.index,
      slaac: port.roams || port.identifiers.length > 0,
      interfaceIdentifier: port.roams ? 'stable-privacy' : 'eui64',
      dad: 'optimistic',
      autoconfigured: all.filter(({ made }) => made).map(({ address }) => address),
      hostAccess,
      spoofCheck: port.spoofCheck ? 'on' : 'off',
      allowRouterAdvertisements: port.allow.routerAdvertisements,
      allowDhcpServer: port.allow.dhcpServer,
      nsid: own.nsid,
      ifindex: own.link.index,
      ...(linkLocal ? { linkLocal: formatAddress(linkLocal) } : {}),
    },
  };
}

/** See Sweeping.recover. */
export function recover({ route, netfilter }: Sockets, world: World, segment?: string): MacvlanRecord[] {
  const ports = portsOnRecord(netfilter);
  if (ports.length === 0) return [];
  const living = livingMacvlans(route);
  return ports.flatMap((port) => {
    const own = living.get(placeOf(port.mac, port.master.index));
    const key = own && keyOf(port, own);
    const master = findLink(route, port.master.index);
    if (own === undefined || key === undefined || master === undefined) return [];
    if (segment !== undefined && master.name !== segment) return [];
    return [recordOf(key, port, own, master.name, hasHostLink({ route }, master.index), world)];
  });
}
