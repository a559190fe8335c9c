/**
 * Public addresses of containers that the host has not got, but answers for on its uplink: an entry among the proxy
 * neighbours there, and what the kernel asks beside (lib/netlink/proxy-neighbour.ts). In IPv4 a route to the address
 * through another interface, the bridge; in IPv6 proxy_ndp. Both bear netmoor's mark.
 */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { formatAddress, sameAddress } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import type { UndoStack } from '../../../lib/base/undo.ts';
import type { Sockets } from '../../../lib/mooring/host.ts';
import type { Books, Orphan } from '../../../lib/mooring/kind.ts';
import { parseKey } from '../../../lib/mooring/label.ts';
import { IFAPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { knownRecords } from '../../../lib/mooring/records.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listProxies, proxyAddition, proxyRemoval } from '../../../lib/netlink/proxy-neighbour.ts';
import { listRoutes, routeAddition, routeRemoval } from '../../../lib/netlink/route.ts';
import type { NetlinkRequest } from '../../../lib/netlink/socket.ts';
import { holdingsOf } from '../../../lib/nftables/holdings.ts';
import { elementsOf } from '../../../lib/nftables/present.ts';
import { ensureSysctl, ensureSysctlIfPresent, readSysctlIfPresent } from '../../../lib/system/sysctl.ts';
import { KIND, readDetail } from '../detail.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { hostIfnameFor } from '../names.ts';
import { ownPairs } from './record.ts';

/** For the kernel any number but 0 means on; this one tells what we have switched on from what a person has. */
const ON_BY_US = '109';

const proxyNdp = (ifname: string) => ['net', 'ipv6', 'conf', ifname, 'proxy_ndp'] as const;

interface Answer {
  readonly ifname: string;
  readonly address: Address;
}

/** What the host is to answer for as long as the attachment is there. */
export function answersOf(record: BridgeNatRecord): Answer[] {
  return ownPairs(record.detail.nat, prefixesOf(record)).flatMap((pair) =>
    (pair.answeredOn ?? []).map((ifname) => ({ ifname, address: pair.public })),
  );
}

/** To the bridge: where the route of the incoming interface leads, ARP is not answered by proxy (arp_process). */
function routeTo(address: Address, bridge: number) {
  return { destination: { address, length: 32 }, interface: bridge };
}

function tolerate({ route }: Sockets, requests: readonly NetlinkRequest[], ...errnos: string[]): void {
  const { failures } = route.exchange(requests);
  const failure = failures.find(({ error }) => !isErrno(error, ...errnos));
  if (failure) throw failure.error;
}

function uplinkNamed({ route }: Sockets, { ifname, address }: Answer): Link {
  const link = findLink(route, ifname);
  if (link) return link;
  throw new NetmoorError(
    'kernel',
    `there is no interface ${ifname} to answer for ${formatAddress(address)} on`,
    'name an "uplink" that is there',
  );
}

/** Begins to answer; repeating it changes nothing. */
export function answer(host: Sockets, record: BridgeNatRecord, undo: UndoStack): void {
  const answers = answersOf(record);
  if (answers.length === 0) return;
  undo.push('answer for its public addresses no more', () => stopAnswering(host, record));
  const bridge = findLink(host.route, record.segment ?? '');
  for (const each of answers) {
    const { index, name } = uplinkNamed(host, each);
    const { address } = each;
    const op = `answer for ${formatAddress(address)} on ${name}`;
    const protocol = IFAPROT_NETMOOR;
    const route =
      address.family === 4 && bridge
        ? [routeAddition(routeTo(address, bridge.index), op, false, protocol)]
        : [];
    tolerate(host, [...route, proxyAddition({ index, address, protocol }, op)], 'EEXIST');
    if (address.family === 6 && readSysctlIfPresent(...proxyNdp(name)) === '0')
      ensureSysctl(ON_BY_US, ...proxyNdp(name));
  }
}

/** What a person should know whose host has an address that is a container's now. */
export function shadowed(record: BridgeNatRecord): string[] {
  return ownPairs(record.detail.nat, prefixesOf(record))
    .filter(({ answeredOn }) => answeredOn === undefined)
    .map(
      (pair) =>
        `${formatAddress(pair.public)} leads to the container: services of the host are not reached there`,
    );
}

/** Whatever is gone already is fine. */
export function stopAnswering(host: Sockets, record: BridgeNatRecord): void {
  const answers = answersOf(record);
  if (answers.length === 0) return;
  const bridge = findLink(host.route, record.segment ?? '');
  for (const { ifname, address } of answers) {
    const op = `answer for ${formatAddress(address)} on ${ifname} no more`;
    const uplink = findLink(host.route, ifname);
    const requests = [
      ...(uplink ? [proxyRemoval({ index: uplink.index, address }, op)] : []),
      ...(bridge && address.family === 4 ? [routeRemoval(routeTo(address, bridge.index), op)] : []),
    ];
    tolerate(host, requests, 'ENOENT', 'ESRCH');
  }
}

/** With the last of a network: proxy_ndp of interfaces on which nothing of ours is answered for any more. */
export function leaveUplinks({ route }: Sockets, { detail }: BridgeNatRecord): void {
  const names = new Set((detail.nat?.oneToOne ?? []).flatMap(({ answeredOn = [] }) => answeredOn));
  for (const name of names) {
    const link = findLink(route, name);
    if (link === undefined || readSysctlIfPresent(...proxyNdp(name)) !== ON_BY_US) continue;
    const ours = listProxies(route, link.index).filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
    if (!ours.some(({ address }) => address.family === 6)) ensureSysctlIfPresent('0', ...proxyNdp(name));
  }
}

export function verifyAnswering({ route }: Sockets, record: BridgeNatRecord): string[] {
  const answers = answersOf(record);
  if (answers.length === 0) return [];
  const proxies = listProxies(route);
  return answers.flatMap(({ ifname, address }) => {
    const index = findLink(route, ifname)?.index;
    const there = proxies.some((proxy) => proxy.index === index && sameAddress(proxy.address, address));
    if (!there) return [`the host does not answer for ${formatAddress(address)} on ${ifname} any more`];
    const silent = address.family === 6 && readSysctlIfPresent(...proxyNdp(ifname)) === '0';
    return silent
      ? [`net.ipv6.conf.${ifname}.proxy_ndp is 0: nobody answers for ${formatAddress(address)}`]
      : [];
  });
}

/** The interfaces on which the host answers for an address by our doing. */
export function answeringInterfaces({ route }: Sockets, address: Address): string[] {
  const ours = listProxies(route).filter(
    (proxy) => proxy.protocol === IFAPROT_NETMOOR && sameAddress(proxy.address, address),
  );
  return ours.flatMap(({ index }) => findLink(route, index)?.name ?? []);
}

/** Public addresses of whoever is on record, and, unless it is to be swept, of whoever lives. */
function accounted({ netfilter }: Sockets, { records, living }: Books, links: readonly Link[]): Set<string> {
  const recorded = knownRecords({ name: KIND, readDetail }, records).flatMap(answersOf);
  const lives = (comment: string): boolean => {
    const key = parseKey(comment.replaceAll('%22', '"'));
    return key !== undefined && links.some(({ name }) => name === hostIfnameFor(key));
  };
  const elements =
    living === 'spare' ? (['one4', 'one6'] as const).flatMap((set) => elementsOf(netfilter, set)) : [];
  const alive = holdingsOf(elements.filter(({ comment }) => lives(comment))).oneToOne;
  return new Set(
    [...recorded.map(({ address }) => address), ...alive.map((pair) => pair.public)].map(formatAddress),
  );
}

/** What is answered for by our doing, and for nobody. */
export function strayAnswers(host: Sockets, books: Books, links: readonly Link[]): Orphan[] {
  const { route } = host;
  const proxies = listProxies(route).filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
  const routes = listRoutes(route, 4).filter(
    ({ protocol, destination }) => protocol === IFAPROT_NETMOOR && destination.length === 32,
  );
  if (proxies.length + routes.length === 0) return [];
  const known = accounted(host, books, links);
  const nameOf = (index: number | undefined) =>
    links.find((link) => link.index === index)?.name ?? `${index}`;
  return [
    ...proxies
      .filter(({ address }) => !known.has(formatAddress(address)))
      .map(({ index, address }): Orphan => {
        const what = `${formatAddress(address)}, answered for on ${nameOf(index)}`;
        const remove = () => tolerate(host, [proxyRemoval({ index, address }, `forget ${what}`)], 'ENOENT');
        return { kind: 'address', what, remove };
      }),
    ...routes
      .filter(({ destination }) => !known.has(formatAddress(destination.address)))
      .map((stray): Orphan => {
        const what = `the route to ${formatAddress(stray.destination.address)} through ${nameOf(stray.interface)}`;
        const remove = () => tolerate(host, [routeRemoval(stray, `remove ${what}`)], 'ESRCH');
        return { kind: 'address', what, remove };
      }),
  ];
}
