/** The host's routes to its containers through its own macvlan (access.ts). */
import { bitsOf, formatAddress, isLinkLocal, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import {
  RTPROT_KERNEL,
  RT_SCOPE_UNIVERSE,
  listRoutes,
  routeAddition,
  routeRemoval,
} from '../../lib/netlink/route.ts';
import type { RouteState } from '../../lib/netlink/route.ts';
import type { NetlinkRequest, NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { MacvlanRecord } from './detail.ts';

/** Those that lie on the LAN alone would be ambiguous on the host, which has other LANs. */
function destinationsOf({ addresses }: MacvlanRecord): Prefix[] {
  return addresses
    .map(({ address }) => parsePrefix(address).address)
    .filter((address) => !isLinkLocal(address))
    .map((address) => ({ address, length: bitsOf(address.family) }));
}

/** Source addresses that the containers know the host by: those of the master. */
function sourcesOn(route: NetlinkSocket, master: Link): Map<number, Address> {
  const global = listAddresses(route, master.index).filter(({ scope }) => scope === RT_SCOPE_UNIVERSE);
  return new Map(global.toReversed().map(({ prefix: { address } }) => [address.family, address]));
}

function presentOn(route: NetlinkSocket, link: Link): RouteState[] {
  return ([4, 6] as const)
    .flatMap((family) => listRoutes(route, family))
    .filter((each) => each.interface === link.index && each.protocol !== RTPROT_KERNEL);
}

function leadsTo({ destination }: RouteState, { address, length }: Prefix): boolean {
  return destination.length === length && sameAddress(destination.address, address);
}

function removal(link: Link, destination: Prefix): NetlinkRequest {
  const op = `remove the host's route to ${formatAddress(destination.address)}`;
  return routeRemoval({ destination, interface: link.index }, op);
}

/** What there is on the host, looked at once. */
export interface HostRoutes {
  readonly link: Link;
  readonly sources: ReadonlyMap<number, Address>;
  readonly present: readonly RouteState[];
}

export function hostRoutes(route: NetlinkSocket, link: Link, master: Link): HostRoutes {
  return { link, sources: sourcesOn(route, master), present: presentOn(route, link) };
}

/** Whether the host is known by another IPv4 address than when its routes were made; IPv6 goes by the interface's. */
export function hasMoved({ sources, present }: HostRoutes): boolean {
  const source = sources.get(4);
  return present.some(
    (each) => each.destination.address.family === 4 && each.source?.value !== source?.value,
  );
}

/** What makes the routes of these attachments as they should be; it is fine when one is there. */
export function routeRequests(
  { link, sources, present }: HostRoutes,
  records: readonly MacvlanRecord[],
): NetlinkRequest[] {
  return records.flatMap(destinationsOf).flatMap((destination) => {
    const source = sources.get(destination.address.family);
    const wrong = present.some((each) => leadsTo(each, destination) && each.source?.value !== source?.value);
    const op = `add the host's route to ${formatAddress(destination.address)}`;
    const addition = routeAddition({ destination, interface: link.index, source }, op);
    return wrong ? [removal(link, destination), addition] : [addition];
  });
}

/** Removes the attachment's own; absence is fine. */
export function removeRoutesThrough(route: NetlinkSocket, link: Link, record: MacvlanRecord): void {
  route.requestAll(
    destinationsOf(record).map((each) => removal(link, each)),
    'ESRCH',
  );
}

/** Which of the attachment's are missing, in words. */
export function verifyRoutes(route: NetlinkSocket, link: Link, record: MacvlanRecord): string[] {
  const present = presentOn(route, link);
  return destinationsOf(record)
    .filter((destination) => !present.some((each) => leadsTo(each, destination)))
    .map(({ address }) => `the host lacks the route to ${formatAddress(address)}`);
}
