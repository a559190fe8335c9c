/** Routes, with the metrics and scopes that CNI 1.1.0 names. */
import { isErrno } from '../base/errors.ts';
import { bitsOf } from '../base/ip.ts';
import type { Address, Family, Prefix } from '../base/ip.ts';
import { DecodeError } from './attributes.ts';
import { sized } from './codec.ts';
import { familyNumber } from './ip-field.ts';
import { encodeRoute, routeMessage } from './route-codec.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET,
  AF_INET6,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTNH_F_ONLINK,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTPROT_STATIC,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
} from './uapi.ts';

export {
  ICMPV6_ROUTER_PREF_HIGH,
  ICMPV6_ROUTER_PREF_LOW,
  ICMPV6_ROUTER_PREF_MEDIUM,
  RTPROT_BOOT,
  RTPROT_KERNEL,
  RTPROT_RA,
  RTPROT_STATIC,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
} from './uapi.ts';

export interface Route {
  readonly destination: Prefix;
  /** The address that the host itself sends from by it. */
  readonly source?: Address | undefined;
  readonly gateway?: Address | undefined;
  /** ifindex it leaves through. */
  readonly interface?: number | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  /** metric; the kernel's default when absent. */
  readonly priority?: number | undefined;
  readonly table?: number | undefined;
  /** RT_SCOPE_*; derived from the gateway's presence when absent. */
  readonly scope?: number | undefined;
  /** It leads nowhere: who sends there is told so (EHOSTUNREACH, of IPv6 EHOSTUNREACH or ENETUNREACH). */
  readonly unreachable?: boolean | undefined;
  /** The gateway is behind the interface, whatever addresses that has (RTNH_F_ONLINK). */
  readonly onLink?: boolean | undefined;
  /** Who made it; RTPROT_STATIC when absent. */
  readonly protocol?: number | undefined;
}

/** A route as the kernel tells of it. */
export interface RouteState extends Route {
  /** Who made it: RTPROT_* */
  readonly protocol: number;
  /** Which of equal metrics goes first (RFC 4191): ICMPV6_ROUTER_PREF_*, of IPv6. */
  readonly preference: number | undefined;
  /** In so many seconds, to a hundredth, it ends; negative for one that nobody has cleared away yet. */
  readonly expires: number | undefined;
}

/** Of struct rta_cacheinfo: the whole, where rta_expires is, and in what part of a second (USER_HZ) it counts. */
const CACHEINFO = 32;
const EXPIRES = 8;
const CLOCK_TICKS = 100;

function expiryOf(cacheInfo: Uint8Array | undefined): number | undefined {
  const ticks = cacheInfo && sized(Buffer.from(cacheInfo), CACHEINFO).readInt32LE(EXPIRES);
  return ticks ? ticks / CLOCK_TICKS : undefined;
}

/**
 * Adds a route behind those to the same destination: in IPv4 the first one stays in use, in IPv6 equal metrics make a
 * multipath route (fib6_add_rt2node). EEXIST when this very route is there; with `exclusive`, which is for IPv6, when
 * any of the same destination and metric is.
 */
export function routeAddition(route: Route, op: string, exclusive = false): NetlinkRequest {
  const flags = NLM_F_CREATE | (exclusive ? NLM_F_EXCL : NLM_F_APPEND);
  const data = messageFor(route, { protocol: route.protocol ?? RTPROT_STATIC, scope: scopeOf(route) });
  return { type: RTM_NEWROUTE, flags, op, data };
}

/** Removes a route that is like this one in all that is given; ESRCH when there is none. */
export function routeRemoval(route: Route, op: string): NetlinkRequest {
  return { type: RTM_DELROUTE, op, data: messageFor(route, { scope: RT_SCOPE_NOWHERE }) };
}

function scopeOf({ destination, gateway, scope }: Route): number {
  const direct = gateway === undefined && destination.address.family === 4;
  return scope ?? (direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
}

function messageFor(route: Route, header: Parameters<typeof encodeRoute>[0]): Buffer {
  const {
    destination,
    source,
    gateway,
    interface: index,
    priority,
    mtu,
    advmss,
    table = RT_TABLE_MAIN,
    unreachable,
    onLink,
  } = route;
  const metrics = { ...(mtu !== undefined && { mtu }), ...(advmss !== undefined && { advmss }) };
  return encodeRoute({
    family: familyNumber(destination.address.family),
    length: destination.length,
    table: table > 255 ? 0 : table,
    type: unreachable ? RTN_UNREACHABLE : RTN_UNICAST,
    ...(onLink && { flags: RTNH_F_ONLINK }),
    ...header,
    attributes: {
      ...(destination.length > 0 && { destination: destination.address }),
      ...(source && { source }),
      ...(gateway && { gateway }),
      ...(index !== undefined && { interface: index }),
      ...(priority !== undefined && { priority }),
      ...(Object.keys(metrics).length > 0 && { metrics }),
      ...(table > 255 && { table }),
    },
  });
}

/** Reads RTM_NEWROUTE and RTM_DELROUTE of IPv4 and IPv6; throws DecodeError. */
export function decodeRoute({ data }: Pick<NetlinkMessage, 'data'>): RouteState {
  const { length, scope, protocol, attributes, ...rest } = routeMessage.get(data);
  if (rest.family !== AF_INET && rest.family !== AF_INET6)
    throw new DecodeError(`a route of the address family ${rest.family}`);
  const family: Family = rest.family === AF_INET ? 4 : 6;
  const address = attributes.destination ?? { family, value: 0n };
  if (length > bitsOf(address.family)) throw new DecodeError(`a prefix of ${length} bits`);
  return {
    destination: { address, length },
    source: attributes.source,
    gateway: attributes.gateway,
    interface: attributes.interface,
    mtu: attributes.metrics?.mtu,
    advmss: attributes.metrics?.advmss,
    priority: attributes.priority,
    table: attributes.table ?? rest.table,
    scope,
    protocol,
    preference: attributes.preference,
    expires: expiryOf(attributes.cacheInfo),
  };
}

/** All unicast routes of one family in every table. */
export function listRoutes(socket: NetlinkSocket, family: Family): RouteState[] {
  const data = encodeRoute({ family: familyNumber(family) });
  return socket
    .dump({ type: RTM_GETROUTE, data, op: `list IPv${family} routes` })
    .filter((message) => message.data[7] === RTN_UNICAST)
    .map(decodeRoute);
}

/** A route of a table, which may lead nowhere. */
export interface TableRoute extends RouteState {
  readonly unreachable: boolean;
}

/** The routes of one family in a table, or all that somebody (RTPROT_*) has made in any, whatever kind they are of. */
export function listRoutesIn(
  socket: NetlinkSocket,
  family: Family,
  { table = 0, protocol = 0 }: { readonly table?: number; readonly protocol?: number },
): TableRoute[] {
  const data = encodeRoute({
    family: familyNumber(family),
    protocol,
    ...(table > 0 && { attributes: { table } }),
  });
  // Kernels without strict checking (before 4.20) list all there are.
  const isMeant = (route: RouteState): boolean =>
    (table === 0 || route.table === table) && (protocol === 0 || route.protocol === protocol);
  try {
    return socket
      .dump({ type: RTM_GETROUTE, data, op: `list IPv${family} routes` })
      .map((message) => ({ ...decodeRoute(message), unreachable: message.data[7] === RTN_UNREACHABLE }))
      .filter(isMeant);
  } catch (error) {
    // There is no such table.
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Where unicast routes of either family lead, in every table. */
export function listDestinations(socket: NetlinkSocket): Prefix[] {
  return ([4, 6] as const)
    .flatMap((family) => listRoutes(socket, family))
    .map(({ destination }) => destination);
}

/** The route the kernel would take to an address (nothing is sent), or undefined when it has none. */
export function lookupRoute(socket: NetlinkSocket, to: Address): RouteState | undefined {
  const data = encodeRoute({
    family: familyNumber(to.family),
    length: bitsOf(to.family),
    attributes: { destination: to },
  });
  try {
    return decodeRoute(socket.ask({ type: RTM_GETROUTE, data, op: 'look up a route' }));
  } catch (error) {
    if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL')) return undefined;
    throw error;
  }
}
