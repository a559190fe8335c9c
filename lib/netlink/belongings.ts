/**
 * What of IP an interface has, addresses, static neighbours and the routes that leave through it, given to another
 * interface as it is: with lifetimes, scopes, metrics, and who made it. Copied first and taken away afterwards, so that
 * at no moment there is neither.
 */
import { isErrno } from '../base/errors.ts';
import { formatAddress, formatPrefix, isLinkLocal, networkOf } from '../base/ip.ts';
import type { Address, Prefix } from '../base/ip.ts';
import { addressMessage } from './address-codec.ts';
import type { AddressMessage } from './address-codec.ts';
import { decodeAddress } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { encode } from './codec.ts';
import { encodeRoute, routeMessage } from './route-codec.ts';
import type { RouteMessage } from './route-codec.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { listStaticNeighbours, neighbourAddition, neighbourRemoval } from './static-neighbour.ts';
import type { StaticNeighbour } from './static-neighbour.ts';
import {
  AF_INET,
  AF_INET6,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_LABEL,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTA_MULTIPATH,
  RTA_NH_ID,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
  RTNH_F_ONLINK,
  RTN_UNICAST,
  RTPROT_KERNEL,
  RT_TABLE_LOCAL,
} from './uapi.ts';

export interface Belongings {
  readonly addresses: readonly AddressMessage[];
  readonly routes: readonly RouteMessage[];
  readonly neighbours: readonly StaticNeighbour[];
}

const isIp = (family: number): boolean => family === AF_INET || family === AF_INET6;

/** But for what the kernel gives every interface: its link-local IPv6 address, multicast routes. */
function addressesOf(
  socket: NetlinkSocket,
  index: number,
): { message: AddressMessage; known: InterfaceAddress }[] {
  const request = { family: 0, length: 0, flags: 0, scope: 0, index, attributes: {} };
  return socket
    .dump({ type: RTM_GETADDR, data: encode(addressMessage, request), op: 'list addresses' })
    .filter(({ data }) => isIp(data[0] ?? 0))
    .map((each) => ({ message: addressMessage.get(each.data), known: decodeAddress(each) }))
    .filter(({ known }) => known.index === index && !isAutomatic(known.prefix.address));
}

function isAutomatic(address: Address): boolean {
  return address.family === 6 && isLinkLocal(address);
}

function destinationOf({ length, family, attributes }: RouteMessage): Prefix {
  const zero: Address = { family: family === AF_INET ? 4 : 6, value: 0n };
  return { address: attributes.destination ?? zero, length };
}

function routesIn(socket: NetlinkSocket): RouteMessage[] {
  return [AF_INET, AF_INET6].flatMap((family) =>
    socket
      .dump({ type: RTM_GETROUTE, data: encodeRoute({ family }), op: 'list routes' })
      .map(({ data }) => routeMessage.get(data))
      .filter(({ type, table }) => type === RTN_UNICAST && table !== RT_TABLE_LOCAL),
  );
}

/**
 * Of an interface, but for the addresses that `stays` says, and the routes that the kernel has made for them. Throws
 * SystemError.
 */
export function belongingsOf(
  socket: NetlinkSocket,
  index: number,
  stays: (address: InterfaceAddress) => boolean = () => false,
): Belongings {
  const all = addressesOf(socket, index);
  const kept = new Set(
    all.filter(({ known }) => stays(known)).map(({ known }) => formatPrefix(networkOf(known.prefix))),
  );
  const ofKept = (route: RouteMessage): boolean =>
    route.protocol === RTPROT_KERNEL && kept.has(formatPrefix(destinationOf(route)));
  const routes = routesIn(socket).filter((route) => {
    const through = route.attributes.interface === index;
    return through && !isAutomatic(destinationOf(route).address) && !ofKept(route);
  });
  // Those through a gateway need the others to be there.
  const direct = ({ attributes }: RouteMessage): boolean => attributes.gateway === undefined;
  return {
    addresses: all.filter(({ known }) => !stays(known)).map(({ message }) => message),
    routes: [...routes.filter(direct), ...routes.filter((route) => !direct(route))],
    neighbours: listStaticNeighbours(socket, index),
  };
}

const TYPE_MASK = 0x3fff;

/**
 * Destinations of routes of several next hops (struct rtnexthop), one of them through the interface, and of those by a
 * nexthop object (`ip nexthop`) through it, which others may share.
 */
export function sharedRoutes(socket: NetlinkSocket, index: number): string[] {
  return routesIn(socket).flatMap((route) => {
    const { unknown = [], interface: through } = route.attributes;
    const hops = unknown.find(({ type }) => (type & TYPE_MASK) === RTA_MULTIPATH)?.data;
    const byObject = unknown.some(({ type }) => (type & TYPE_MASK) === RTA_NH_ID) && through === index;
    const isShared = byObject || (hops !== undefined && indexesOf(hops).includes(index));
    return isShared ? formatPrefix(destinationOf(route)) : [];
  });
}

function indexesOf(hops: Buffer): number[] {
  const indexes: number[] = [];
  for (let at = 0; at + 8 <= hops.length; ) {
    indexes.push(hops.readInt32LE(at + 4));
    at += Math.max(8, Math.ceil(hops.readUInt16LE(at) / 4) * 4);
  }
  return indexes;
}

/**
 * What of an address somebody has said (inet6_rtm_newaddr). That it is a temporary one (RFC 8981) is the kernel's alone
 * to say: it goes on as a plain one for what is left of its time, while the address that has such made (mngtmpaddr)
 * has the next made where it is.
 */
const SAID = IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_HOMEADDRESS | IFA_F_MCAUTOJOIN;

function addressFor(index: number, message: AddressMessage): Buffer {
  const { unknown = [], ...attributes } = message.attributes;
  const six = message.family === AF_INET6;
  const flags = ((attributes.flags ?? message.flags) & SAID) | (six ? IFA_F_NODAD : 0);
  // A label begins with the name of the interface.
  const others = unknown.filter(({ type }) => type !== IFA_LABEL);
  return encode(addressMessage, {
    ...message,
    index,
    flags: flags & 0xff,
    attributes: { ...attributes, flags, unknown: others },
  });
}

const TICKS = 100;
const EXPIRES_AT = 8;

function routeFor(index: number, route: RouteMessage): Buffer {
  const { unknown = [], cacheInfo, ...attributes } = route.attributes;
  const ticks = cacheInfo && cacheInfo.length >= 12 ? Buffer.from(cacheInfo).readInt32LE(EXPIRES_AT) : 0;
  return encodeRoute({
    ...route,
    flags: route.flags & RTNH_F_ONLINK,
    attributes: {
      ...attributes,
      interface: index,
      ...(ticks > 0 && { expires: Math.ceil(ticks / TICKS) }),
      unknown: unknown.filter(({ type }) => type !== RTA_NH_ID),
    },
  });
}

/** All in one datagram, going on after failures; those that say that it is so already are none. */
function exchange(socket: NetlinkSocket, requests: readonly NetlinkRequest[], ...fine: string[]): void {
  const failure = socket.exchange(requests).failures.find(({ error }) => !isErrno(error, ...fine));
  if (failure) throw failure.error;
}

function nameOf(message: AddressMessage): string {
  const address = message.attributes.local ?? message.attributes.address;
  return address ? `${formatAddress(address)}/${message.length}` : 'an address';
}

/** Adds them to the interface, which is up; what is there stays. Throws SystemError. */
export function copyBelongings(
  socket: NetlinkSocket,
  { addresses, routes, neighbours }: Belongings,
  to: number,
): void {
  const flags = NLM_F_CREATE;
  exchange(
    socket,
    [
      ...addresses.map((each) => ({
        ...{ type: RTM_NEWADDR, flags: flags | NLM_F_EXCL, data: addressFor(to, each) },
        op: `add ${nameOf(each)} to #${to}`,
      })),
      ...routes.map((each) => ({
        ...{ type: RTM_NEWROUTE, flags: flags | NLM_F_APPEND, data: routeFor(to, each) },
        op: `add the route to ${formatPrefix(destinationOf(each))} through #${to}`,
      })),
      ...neighbours.map((each) => neighbourAddition(to, each)),
    ],
    'EEXIST',
  );
}

/** Takes them from the interface that they were of; what is gone is fine. Throws SystemError. */
export function removeBelongings(socket: NetlinkSocket, { addresses, routes, neighbours }: Belongings): void {
  exchange(
    socket,
    [
      ...neighbours.map(neighbourRemoval),
      ...routes.toReversed().map((each) => ({
        ...{ type: RTM_DELROUTE, data: routeFor(each.attributes.interface ?? 0, each) },
        op: `remove the route to ${formatPrefix(destinationOf(each))}`,
      })),
      ...addresses.map((each) => ({
        ...{ type: RTM_DELADDR, data: encode(addressMessage, each) },
        op: `remove ${nameOf(each)}`,
      })),
    ],
    ...['ESRCH', 'EADDRNOTAVAIL', 'ENODEV', 'ENOENT'],
  );
}
