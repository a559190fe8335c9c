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
  sameAddress,
  withoutLength,
} from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { World } from '../../lib/cni/world.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { ownerKey, parseLabel } from '../../lib/mooring/label.ts';
import type { Label } from '../../lib/mooring/label.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../lib/mooring/marks.ts';
import { ownProxies } from '../../lib/mooring/proxy.ts';
import { here } from '../../lib/mooring/vantage.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
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
import { DETAIL_VERSION, KIND, hostAccessDetail } from './detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from './detail.ts';
import { recoveredEgress } from './egress/recovered.ts';
import { ownRules } from './egress/stand.ts';
import { membersOn } from './bridge/member-ports.ts';
import { isOnLan } from './bridge/members.ts';
import type { Member } from './bridge/members.ts';
import { hostIfnameFor, isHostIfname } from './names.ts';
import { natFrom } from './nat/recover.ts';

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
  const key = ownerKey(owners.get(link.name) ?? '');
  return key && { key, addresses: [] };
}

function ownersByInterface(comments: Iterable<string>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const comment of comments) {
    const key = ownerKey(comment);
    if (key !== undefined) owners.set(hostIfnameFor(key), comment);
  }
  return owners;
}

/** An address that only its masquerading tells of is in one of the bridge's networks. */
function withLength(address: Address, given: readonly Prefix[]): string {
  const network = given.find((each) => prefixContains(each, address));
  const length = network?.length ?? (address.family === 4 ? 32 : 128);
  return formatPrefix({ address, length });
}

function addressRecords(
  { addresses }: Label,
  { masquerade, sources, oneToOne }: Holdings,
  given: readonly Prefix[],
  gateways: readonly Prefix[],
  segment: string,
): AddressRecord[] {
  const translated = [
    ...masquerade,
    ...sources.map(({ address }) => address),
    ...oneToOne.map(({ container }) => container),
  ].map((address) => withLength(address, given));
  const told = addresses.length > 0 ? addresses : [...new Set(translated)];
  return told.map((address) => {
    const gateway = gateways.find((each) => prefixContains(each, parsePrefix(address).address));
    return {
      address,
      ...(gateway ? { gateway: formatAddress(gateway.address) } : {}),
      scope: `bridge ${segment}`,
    };
  });
}

/**
 * The configuration's own forwards lead to addresses that are not the first of their family, or bear none of the
 * conditions that the others do; else they are as the runtime's.
 */
function isStatic(
  { container, only }: PortForward,
  all: readonly PortForward[],
  first: readonly Address[],
): boolean {
  const { family } = container;
  if (!first.some((address) => sameAddress(address, container))) return true;
  return only === undefined && all.some((other) => other.container.family === family && other.only);
}

/** A port of every address is there once in each family that the container has. */
function portRecords(forwards: readonly PortForward[], addresses: readonly AddressRecord[]): PortRecord[] {
  const held = addresses.map(({ address }) => parsePrefix(address).address);
  const first = ([4, 6] as const).flatMap((each) => held.find(({ family }) => family === each) ?? []);
  const ports = new Map<string, PortRecord>();
  for (const forward of forwards) {
    const { protocol, hostIp, hostPort, containerPort, count, container } = forward;
    const fixed = isStatic(forward, forwards, first);
    const any = fixed ? { family: container.family, value: 0n } : undefined;
    const address = hostIp ?? any;
    const host = address ? { hostIp: formatAddress(address) } : {};
    ports.set(`${protocol} ${host.hostIp ?? ''} ${hostPort}`, {
      protocol,
      ...host,
      hostPort,
      containerPort,
      count,
      ...(fixed ? { to: formatAddress(container) } : {}),
    });
  }
  return [...ports.values()];
}

/**
 * Of a bridge's addresses those that are the network's gateways: the marked ones first. An address of the host itself,
 * whether a member's or on a bridge that somebody else made, is none, or repair would hold the host to it, and have it
 * forward; but for containers that are masqueraded, whose gateway the bridge had before.
 */
function gatewaysOf(
  given: readonly InterfaceAddress[],
  { alias }: Link,
  members: readonly Member[],
  masqueraded: boolean,
): Prefix[] {
  const [marked, others] = [true, false].map((ours) =>
    given.filter(({ protocol }) => (protocol === IFAPROT_NETMOOR) === ours).map(({ prefix }) => prefix),
  ) as [Prefix[], Prefix[]];
  // Kernels before 5.18 mark none.
  return !isOnLan(members) && (alias === ALIAS || masqueraded) ? [...marked, ...others] : marked;
}

function isMasqueraded({ masquerade, sources }: Holdings): boolean {
  return masquerade.length > 0 || sources.some(({ to }) => to === undefined);
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
    ...hostAccessDetail(hostAccess),
  };
}

function recordOf(
  link: Link,
  label: Label,
  bridge: Link,
  held: SetElement[],
  shared: SetElement[],
  given: readonly InterfaceAddress[],
  host: Sockets,
  proxies: readonly string[],
  members: readonly Member[],
  table: number | undefined,
  world: World,
): BridgeNatRecord {
  const holdings = holdingsOf(held);
  const segment = bridge.name;
  const prefixes = given.map(({ prefix }) => prefix);
  const gatewayPrefixes = gatewaysOf(given, bridge, members, isMasqueraded(holdings));
  const addresses = addressRecords(label, holdings, prefixes, gatewayPrefixes, segment);
  const subnets = [...new Set(addresses.map(({ address }) => formatPrefix(networkOf(parsePrefix(address)))))];
  const gateways = new Set(addresses.map(({ gateway }) => gateway));
  const isGateway = ({ address }: Prefix): boolean => gateways.has(formatAddress(address));
  const createdAt = world.now();
  const families = new Set(addresses.map(({ address }) => parsePrefix(address).address.family));
  const nat = natFrom(host, holdings, shared, segment, families);
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
    ports: portRecords(holdings.forwards, addresses),
    detail: {
      version: DETAIL_VERSION,
      subnets,
      gateways: gatewayPrefixes.filter(isGateway).map(formatPrefix),
      routes: [],
      masquerade: isMasqueraded(holdings),
      ingressPolicy: holdings.isolated ? 'isolated' : policyOf(segment, shared),
      macSpoofCheck: holdings.checkedMac !== undefined,
      ...isolationOf(isolationHeld(segment, held, shared)),
      keepBridge: false,
      hairpin: link.hairpin ?? false,
      isolated: link.isolated ?? false,
      ...(nat ? { nat } : {}),
      ...(members.length > 0 ? { members: [...members] } : {}),
      ...(proxies.length > 0 ? { ndpProxy: [...proxies] } : {}),
      ...recoveredEgress(table, shared),
    },
  };
}

/** See Kind.recover. */
export function recover(host: Sockets, world: World, segment?: string): BridgeNatRecord[] {
  const { route, netfilter } = host;
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
  const given = new Map<number, InterfaceAddress[]>();
  const proxied = ownProxies(route);
  return ports.flatMap((link) => {
    const bridge = bridges.get(link.master ?? 0);
    const label = labelOf(route, link, owners);
    if (bridge === undefined || label === undefined) return [];
    const addresses = given.get(bridge.index) ?? listAddresses(route, bridge.index);
    given.set(bridge.index, addresses);
    const held = byComment.get(ownerComment(label.key)) ?? [];
    const ofBridge = byComment.get(bridgeComment(bridge.name)) ?? [];
    const answering = answeringFor(label, proxied, links);
    const members = membersFor(links, bridge);
    const table = rules.find(({ iif }) => iif === bridge.name)?.table;
    return [recordOf(link, label, bridge, held, ofBridge, addresses, host, answering, members, table, world)];
  });
}
