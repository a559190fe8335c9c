/**
 * Records made again from the kernel: the label of each veth says whose it is and with which addresses, the nftables
 * elements with its owner's name what it publishes. What neither tells (routes, dns, limits) is left out; DEL, GC and
 * further ADDs need none of it.
 */
import {
  formatAddress,
  formatPrefix,
  networkOf,
  parsePrefix,
  prefixContains,
  withoutLength,
} from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { World } from '../../lib/cni/world.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { parseKey, parseLabel } from '../../lib/mooring/label.ts';
import type { Label } from '../../lib/mooring/label.ts';
import { ownProxies } from '../../lib/mooring/proxy.ts';
import { here } from '../../lib/mooring/vantage.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { ProxyNeighbour } from '../../lib/netlink/proxy-neighbour.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { SetElement } from '../../lib/nftables/element.ts';
import { holdingsOf, policyOf } from '../../lib/nftables/holdings.ts';
import type { Holdings } from '../../lib/nftables/holdings.ts';
import { isolationHeld } from '../../lib/nftables/isolation-held.ts';
import type { IsolationHeld } from '../../lib/nftables/isolation-held.ts';
import { allElements } from '../../lib/nftables/strays.ts';
import { bridgeComment, ownerComment } from '../../lib/nftables/table.ts';
import type { PortForward } from '../../lib/nftables/table.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AddressRecord, PortRecord } from '../../ipam/record.ts';
import { DETAIL_VERSION, KIND } from './detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from './detail.ts';
import { recoveredEgress } from './egress/recovered.ts';
import { ownRules } from './egress/stand.ts';
import { membersOn } from './member-ports.ts';
import type { Member } from './members.ts';
import { hostIfnameFor, isHostIfname } from './names.ts';

/**
 * Whose a veth is: by its label, or, for those of versions that wrote none, by an owner of elements whose name fits
 * its. A label that does not fit the name is not of our making: believed, it would have one container's interface go
 * with another.
 */
function labelOf(route: NetlinkSocket, link: Link, owners: ReadonlyMap<string, string>): Label | undefined {
  const own = parseLabel(link.alias);
  const name = own && hostIfnameFor(own.key);
  // What another plugin has made, and adopt.ts taken over, has that name as a further one.
  if (name === link.name || (name !== undefined && findLink(route, name)?.index === link.index)) return own;
  const key = parseKey(owners.get(link.name) ?? '');
  return key && { key, addresses: [] };
}

function ownersByInterface(comments: Iterable<string>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const comment of comments) {
    const key = parseKey(comment.replaceAll('%22', '"'));
    if (key !== undefined) owners.set(hostIfnameFor(key), comment);
  }
  return owners;
}

/** An address that only its masquerading tells of is in one of the bridge's networks. */
function withLength(address: Address, gateways: readonly Prefix[]): string {
  const network = gateways.find((gateway) => prefixContains(gateway, address));
  const length = network?.length ?? (address.family === 4 ? 32 : 128);
  return formatPrefix({ address, length });
}

function addressRecords(
  { addresses }: Label,
  { masquerade }: Holdings,
  gateways: readonly Prefix[],
  segment: string,
): AddressRecord[] {
  const told = addresses.length > 0 ? addresses : masquerade.map((address) => withLength(address, gateways));
  return told.map((address) => {
    const gateway = gateways.find((each) => prefixContains(each, parsePrefix(address).address));
    return {
      address,
      ...(gateway ? { gateway: formatAddress(gateway.address) } : {}),
      scope: `bridge ${segment}`,
    };
  });
}

/** A port of every address is there once in each family that the container has. */
function portRecords(forwards: readonly PortForward[]): PortRecord[] {
  const ports = new Map<string, PortRecord>();
  for (const { protocol, hostIp, hostPort, containerPort, count } of forwards) {
    const host = hostIp ? { hostIp: formatAddress(hostIp) } : {};
    ports.set(`${protocol} ${host.hostIp ?? ''} ${hostPort}`, {
      protocol,
      ...host,
      hostPort,
      containerPort,
      count,
    });
  }
  return [...ports.values()];
}

/** The names of the interfaces on which the host answers for one of its addresses. */
function answeringFor(
  { addresses }: Label,
  proxied: readonly ProxyNeighbour[],
  links: readonly Link[],
): string[] {
  const own = new Set(addresses.map(withoutLength));
  const on = new Set(proxied.flatMap(({ address, index }) => (own.has(formatAddress(address)) ? index : [])));
  return links.flatMap(({ index, name }) => (on.has(index) ? name : []));
}

/** What is a port of the bridge for the network's sake; it may have been optional. */
function membersFor(links: readonly Link[], { name }: Link): Member[] {
  return membersOn(links, name).map(({ link, how }) => ({
    interface: link.name,
    moveAddresses: how === 'moving',
    optional: true,
  }));
}

function isolationOf({ hostAccess, joined, ...held }: IsolationHeld): Partial<BridgeNatDetail> {
  return {
    ...held,
    joined: [...joined],
    ...(hostAccess
      ? { hostAccess: { protocols: [...hostAccess.protocols], services: [...hostAccess.services] } }
      : {}),
  };
}

function recordOf(
  link: Link,
  label: Label,
  bridge: Link,
  held: SetElement[],
  shared: SetElement[],
  given: Prefix[],
  proxies: readonly string[],
  members: readonly Member[],
  table: number | undefined,
  world: World,
): BridgeNatRecord {
  const holdings = holdingsOf(held);
  const segment = bridge.name;
  const addresses = addressRecords(label, holdings, given, segment);
  const subnets = [...new Set(addresses.map(({ address }) => formatPrefix(networkOf(parsePrefix(address)))))];
  const gateways = new Set(addresses.map(({ gateway }) => gateway));
  const isGateway = ({ address }: Prefix): boolean => gateways.has(formatAddress(address));
  const createdAt = world.now();
  return {
    version: RECORD_VERSION,
    ...label.key,
    plugin: KIND,
    state: 'attached',
    incarnation: `recovered.${link.index}.${createdAt}`,
    bootId: world.bootId,
    createdAt,
    host: here(world),
    hostIfname: link.name,
    hostIfindex: link.index,
    segment,
    ...(holdings.checkedMac ? { mac: holdings.checkedMac } : {}),
    mtu: link.mtu,
    addresses,
    ports: portRecords(holdings.forwards),
    detail: {
      version: DETAIL_VERSION,
      subnets,
      gateways: given.filter(isGateway).map(formatPrefix),
      routes: [],
      masquerade: holdings.masquerade.length > 0,
      ingressPolicy: holdings.isolated ? 'isolated' : policyOf(segment, shared),
      macSpoofCheck: holdings.checkedMac !== undefined,
      ...isolationOf(isolationHeld(segment, held, shared)),
      keepBridge: false,
      hairpin: link.hairpin ?? false,
      isolated: link.isolated ?? false,
      ...(members.length > 0 ? { members: [...members] } : {}),
      ...(proxies.length > 0 ? { ndpProxy: [...proxies] } : {}),
      ...recoveredEgress(table, shared),
    },
  };
}

/** See Kind.recover. */
export function recover({ route, netfilter }: Sockets, world: World, segment?: string): BridgeNatRecord[] {
  const links = listLinks(route);
  const bridges = new Map(
    links.filter(({ kind }) => kind === 'bridge').map((bridge) => [bridge.index, bridge]),
  );
  const ports = links.filter(({ kind, name, alias, master }) => {
    const bridge = bridges.get(master ?? 0);
    const ours = isHostIfname(name) || parseLabel(alias) !== undefined;
    return kind === 'veth' && ours && bridge && (segment === undefined || bridge.name === segment);
  });
  if (ports.length === 0) return [];
  const byComment = Map.groupBy(allElements(netfilter), ({ comment }) => comment);
  const owners = ownersByInterface(byComment.keys());
  const rules = ownRules(route);
  const given = new Map<number, Prefix[]>();
  const proxied = ownProxies(route);
  return ports.flatMap((link) => {
    const bridge = bridges.get(link.master ?? 0);
    const label = labelOf(route, link, owners);
    if (bridge === undefined || label === undefined) return [];
    const addresses =
      given.get(bridge.index) ?? listAddresses(route, bridge.index).map(({ prefix }) => prefix);
    given.set(bridge.index, addresses);
    const held = byComment.get(ownerComment(label.key)) ?? [];
    const ofBridge = byComment.get(bridgeComment(bridge.name)) ?? [];
    const answering = answeringFor(label, proxied, links);
    const members = membersFor(links, bridge);
    const table = rules.find(({ iif }) => iif === bridge.name)?.table;
    return [recordOf(link, label, bridge, held, ofBridge, addresses, answering, members, table, world)];
  });
}
