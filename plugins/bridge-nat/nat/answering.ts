/**
 * Public addresses of containers that the host has not got, but answers for on its uplink: an entry among the proxy
 * neighbours there, and what the kernel asks beside (lib/netlink/proxy-neighbour.ts). In IPv4 a route to the address
 * through another interface, the bridge; in IPv6 proxy_ndp. Both bear netmoor's mark.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { formatAddress, sameAddress } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import type { Sockets } from '../../../lib/mooring/host.ts';
import type { Books, Orphan } from '../../../lib/mooring/upkeep.ts';
import { ownerKey } from '../../../lib/mooring/label.ts';
import { IFAPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { answerFor, isAnswering, ownProxies, stopAnswering } from '../../../lib/mooring/proxy.ts';
import { knownRecords } from '../../../lib/mooring/records.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listProxies } from '../../../lib/netlink/proxy-neighbour.ts';
import { listRoutes, routeAddition, routeRemoval } from '../../../lib/netlink/route.ts';
import { holdingsOf } from '../../../lib/nftables/holdings.ts';
import { elementsOf } from '../../../lib/nftables/present.ts';
import { KIND, readDetail } from '../detail.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { hostIfnameFor } from '../names.ts';
import { ownPairs } from './record.ts';

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

function uplinkNamed({ route }: Sockets, { ifname, address }: Answer): Link {
  const link = findLink(route, ifname);
  if (link) return link;
  throw new NetmoorError(
    'kernel',
    `there is no interface ${ifname} to answer for ${formatAddress(address)} on`,
    'name an "uplink" that is there',
  );
}

/** Begins to answer; repeating it changes nothing. Throws NetmoorError, SystemError. */
export function answerPublic(host: Sockets, record: BridgeNatRecord): void {
  const answers = answersOf(record);
  if (answers.length === 0) return;
  const bridge = findLink(host.route, record.segment ?? '');
  for (const each of answers) {
    const { address } = each;
    const uplink = uplinkNamed(host, each);
    const op = `lead ${formatAddress(address)} to the bridge`;
    if (bridge && address.family === 4)
      host.route.requestAll(
        [routeAddition({ ...routeTo(address, bridge.index), protocol: IFAPROT_NETMOOR }, op)],
        'EEXIST',
      );
    answerFor(host.route, uplink, [address]);
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

/** Ends that; whatever is gone already is fine. */
export function leavePublic(host: Sockets, record: BridgeNatRecord): void {
  const answers = answersOf(record);
  if (answers.length === 0) return;
  const addresses = answers.map(({ address }) => address);
  stopAnswering(
    host.route,
    answers.map(({ ifname }) => ifname),
    addresses,
  );
  const bridge = findLink(host.route, record.segment ?? '');
  if (bridge === undefined) return;
  const routed = addresses.filter(({ family }) => family === 4);
  host.route.requestAll(
    routed.map((address) =>
      routeRemoval(routeTo(address, bridge.index), `lead ${formatAddress(address)} no more`),
    ),
    'ESRCH',
  );
}

export function verifyAnswering({ route }: Sockets, record: BridgeNatRecord): string[] {
  const answers = answersOf(record);
  if (answers.length === 0) return [];
  const proxies = listProxies(route);
  return answers.flatMap(({ ifname, address }) => {
    const index = findLink(route, ifname)?.index;
    const there = proxies.some((proxy) => proxy.index === index && sameAddress(proxy.address, address));
    if (!there) return [`the host does not answer for ${formatAddress(address)} on ${ifname} any more`];
    const silent = address.family === 6 && !isAnswering(ifname);
    return silent
      ? [`net.ipv6.conf.${ifname}.proxy_ndp is 0: nobody answers for ${formatAddress(address)}`]
      : [];
  });
}

/** The interfaces on which the host answers for an address by our doing. */
export function answeringInterfaces({ route }: Sockets, address: Address): string[] {
  const ours = ownProxies(route).filter((proxy) => sameAddress(proxy.address, address));
  return ours.flatMap(({ index }) => findLink(route, index)?.name ?? []);
}

/** Public addresses of whoever is on record, and, unless it is to be swept, of whoever lives. */
export function publicInUse(
  { netfilter }: Sockets,
  { records, living }: Books,
  links: readonly Link[],
): Set<string> {
  const recorded = knownRecords({ name: KIND, readDetail }, records).flatMap(answersOf);
  const lives = (comment: string): boolean => {
    const key = ownerKey(comment);
    return key !== undefined && links.some(({ name }) => name === hostIfnameFor(key));
  };
  const elements =
    living === 'spare' ? (['one4', 'one6'] as const).flatMap((set) => elementsOf(netfilter, set)) : [];
  const alive = holdingsOf(elements.filter(({ comment }) => lives(comment))).oneToOne;
  return new Set(
    [...recorded.map(({ address }) => address), ...alive.map((pair) => pair.public)].map(formatAddress),
  );
}

/** Routes to public addresses that are nobody's. */
export function strayRoutes(host: Sockets, books: Books, links: readonly Link[]): Orphan[] {
  const routes = listRoutes(host.route, 4).filter(
    ({ protocol, destination }) => protocol === IFAPROT_NETMOOR && destination.length === 32,
  );
  if (routes.length === 0) return [];
  const known = publicInUse(host, books, links);
  return routes
    .filter(({ destination }) => !known.has(formatAddress(destination.address)))
    .map((stray): Orphan => {
      const through = links.find(({ index }) => index === stray.interface)?.name ?? `#${stray.interface}`;
      const what = `the route to ${formatAddress(stray.destination.address)} through ${through}`;
      const remove = () => host.route.requestAll([routeRemoval(stray, `remove ${what}`)], 'ESRCH');
      return { kind: 'address', what, remove };
    });
}
