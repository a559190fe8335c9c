/** Messages about routes as bytes and back (rtnetlink(7), linux/rtnetlink.h struct rtmsg). */
import { bytes, encode, headed, plainNest, struct, u32, u8 } from './codec.ts';
import type { Decoded } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import {
  RTAX_ADVMSS,
  RTAX_MTU,
  RTA_CACHEINFO,
  RTA_DST,
  RTA_EXPIRES,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
} from './uapi.ts';

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
  /** Seconds, in what is sent to the kernel. */
  expires: u32(RTA_EXPIRES),
});

/** What follows the netlink header of RTM_NEWROUTE and its like; reading throws DecodeError. */
export const routeMessage = headed(
  'a route message',
  {
    /** AF_INET or AF_INET6. */
    family: 1,
    /** Lengths of the prefixes of destination and source. */
    length: 1,
    sourceLength: 1,
    tos: 1,
    table: 1,
    /** RTPROT_*, RT_SCOPE_*, RTN_*, RTM_F_* and RTNH_F_* */
    protocol: 1,
    scope: 1,
    type: 1,
    flags: 4,
  },
  routeAttributes,
);
export type RouteMessage = Decoded<typeof routeMessage>;

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
