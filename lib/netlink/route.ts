/** Routes (rtnetlink(7), linux/rtnetlink.h struct rtmsg), with the metrics and scopes that CNI 1.1.0 names. */
import { AttrStream, putU32 } from './structs.ts';
import { addressBytes, addressFromBytes, bitsOf } from '../base/ip.ts';
import type { Address, Family, Prefix } from '../base/ip.ts';
import { isErrno } from '../base/errors.ts';
import { Attributes, DecodeError } from './attributes.ts';
import { NLM_F_APPEND, NLM_F_CREATE } from './socket.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_METRICS = 8;
const RTA_TABLE = 15;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
const AF_INET = 2;
const AF_INET6 = 10;
const RTMSG = 12;

export interface Route {
  readonly destination: Prefix;
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
}

function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

function header(route: {
  family: number;
  length: number;
  table: number;
  protocol: number;
  scope: number;
  type: number;
}): Buffer {
  return Buffer.from([
    route.family,
    route.length,
    0,
    0,
    route.table,
    route.protocol,
    route.scope,
    route.type,
    0,
    0,
    0,
    0,
  ]);
}

function metrics(route: Route): ((stream: AttrStream) => void) | undefined {
  if (route.mtu === undefined && route.advmss === undefined) return undefined;
  return (stream) => {
    if (route.mtu !== undefined) stream.push(RTAX_MTU, putU32(route.mtu));
    if (route.advmss !== undefined) stream.push(RTAX_ADVMSS, putU32(route.advmss));
  };
}

/**
 * Adds a route behind those to the same destination: in IPv4 the first one stays in use, in IPv6 equal metrics make a
 * multipath route (fib6_add_rt2node). EEXIST when this very route is there.
 */
export function routeAddition(route: Route, op: string): NetlinkRequest {
  const { destination, gateway, table = RT_TABLE_MAIN } = route;
  const family = destination.address.family;
  const scope = route.scope ?? (gateway === undefined && family === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  const stream = new AttrStream();
  if (destination.length > 0) stream.push(RTA_DST, addressBytes(destination.address));
  if (gateway !== undefined) stream.push(RTA_GATEWAY, addressBytes(gateway));
  if (route.interface !== undefined) stream.push(RTA_OIF, putU32(route.interface));
  if (route.priority !== undefined) stream.push(RTA_PRIORITY, putU32(route.priority));
  const nested = metrics(route);
  if (nested) stream.push(RTA_METRICS, nested);
  stream.push(RTA_TABLE, putU32(table));
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    op,
    data: [
      header({
        family: familyNumber(family),
        length: destination.length,
        table: table < 256 ? table : 0,
        protocol: RTPROT_STATIC,
        scope,
        type: RTN_UNICAST,
      }),
      ...stream.bufs,
    ],
  };
}

function decodeRoute(message: NetlinkMessage): Route {
  if (message.data.length < RTMSG) throw new DecodeError(`a route message has ${message.data.length} bytes`);
  const family: Family = message.data.readUInt8(0) === AF_INET ? 4 : 6;
  const attributes = new Attributes(message.data.subarray(RTMSG));
  const destination = attributes.bytes(RTA_DST);
  const gateway = attributes.bytes(RTA_GATEWAY);
  const nested = attributes.nested(RTA_METRICS);
  return {
    destination: {
      address: destination ? addressFromBytes(destination) : { family, value: 0n },
      length: message.data.readUInt8(1),
    },
    gateway: gateway && addressFromBytes(gateway),
    interface: attributes.u32(RTA_OIF),
    mtu: nested?.u32(RTAX_MTU),
    advmss: nested?.u32(RTAX_ADVMSS),
    priority: attributes.u32(RTA_PRIORITY),
    table: attributes.u32(RTA_TABLE) ?? message.data.readUInt8(4),
    scope: message.data.readUInt8(6),
  };
}

/** All unicast routes of one family in every table. */
export function listRoutes(socket: NetlinkSocket, family: Family): Route[] {
  const data = header({ family: familyNumber(family), length: 0, table: 0, protocol: 0, scope: 0, type: 0 });
  return socket
    .dump({ type: RTM_GETROUTE, data, op: `list IPv${family} routes` })
    .filter((message) => message.data.length >= RTMSG && message.data.readUInt8(7) === RTN_UNICAST)
    .map(decodeRoute);
}

/** Where unicast routes of either family lead, in every table. */
export function listDestinations(socket: NetlinkSocket): Prefix[] {
  return ([4, 6] as const)
    .flatMap((family) => listRoutes(socket, family))
    .map(({ destination }) => destination);
}

/** The route the kernel would take to an address (nothing is sent), or undefined when it has none. */
export function lookupRoute(socket: NetlinkSocket, to: Address): Route | undefined {
  const stream = new AttrStream();
  stream.push(RTA_DST, addressBytes(to));
  const length = bitsOf(to.family);
  const data = [
    header({ family: familyNumber(to.family), length, table: 0, protocol: 0, scope: 0, type: 0 }),
    ...stream.bufs,
  ];
  try {
    return socket.request({ type: RTM_GETROUTE, data, op: 'look up a route' }).map(decodeRoute)[0];
  } catch (error) {
    if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL')) return undefined;
    throw error;
  }
}
