/** Messages about routes as bytes and back (rtnetlink(7), linux/rtnetlink.h struct rtmsg). */
import { DecodeError } from './attributes.ts';
import { bytes, encode, plainNest, struct, u32, u8 } from './codec.ts';
import type { Codec, Decoded } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import {
  RTAX_ADVMSS,
  RTAX_MTU,
  RTA_CACHEINFO,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
} from './uapi.ts';

const RTMSG = 12;

/** In the order in which ip writes them. */
const routeAttributes = struct({
  destination: ipAddress(RTA_DST),
  /** Source address of what the host itself sends by it. */
  source: ipAddress(RTA_PREFSRC),
  gateway: ipAddress(RTA_GATEWAY),
  /** ICMPV6_ROUTER_PREF_*, of IPv6. */
  preference: u8(RTA_PREF),
  priority: u32(RTA_PRIORITY),
  /** All of the number, of which the header has room for eight bits. */
  table: u32(RTA_TABLE),
  /** ifindex */
  interface: u32(RTA_OIF),
  metrics: plainNest(RTA_METRICS, struct({ mtu: u32(RTAX_MTU), advmss: u32(RTAX_ADVMSS) })),
  /** struct rta_cacheinfo, which only the kernel writes. */
  cacheInfo: bytes(RTA_CACHEINFO),
});

export interface RouteMessage {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** Lengths of the prefixes of destination and source. */
  readonly length: number;
  readonly sourceLength: number;
  readonly tos: number;
  readonly table: number;
  /** RTPROT_*, RT_SCOPE_*, RTN_*, RTM_F_* and RTNH_F_* */
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  readonly flags: number;
  readonly attributes: Decoded<typeof routeAttributes>;
}

/** What follows the netlink header of RTM_NEWROUTE and its like; reading throws DecodeError. */
export const routeMessage: Codec<RouteMessage> = {
  put(out, { family, length, sourceLength, tos, table, protocol, scope, type, flags, attributes }) {
    for (const number of [family, length, sourceLength, tos, table, protocol, scope, type]) out.u8(number);
    out.u32(flags);
    routeAttributes.put(out, attributes);
  },
  get(data) {
    if (data.length < RTMSG) throw new DecodeError(`a route message has ${data.length} bytes`);
    return {
      family: data.readUInt8(0),
      length: data.readUInt8(1),
      sourceLength: data.readUInt8(2),
      tos: data.readUInt8(3),
      table: data.readUInt8(4),
      protocol: data.readUInt8(5),
      scope: data.readUInt8(6),
      type: data.readUInt8(7),
      flags: data.readUInt32LE(8),
      attributes: routeAttributes.get(data.subarray(RTMSG)),
    };
  },
};

export function encodeRoute(message: Partial<RouteMessage>): Buffer {
  return encode(routeMessage, {
    family: 0,
    length: 0,
    sourceLength: 0,
    tos: 0,
    table: 0,
    protocol: 0,
    scope: 0,
    type: 0,
    flags: 0,
    attributes: {},
    ...message,
  });
}
