/**
 * Settings of a link (Documentation/networking/ip-sysctl.rst, conf/interface/) by rtnetlink: linux/if_link.h
 * IFLA_AF_SPEC, numbered as in linux/ip.h and linux/ipv6.h; those for all links by RTM_GETNETCONF (linux/netconf.h).
 *
 * Under /proc/sys/net, where they are files, the kernel goes through the names of all namespaces of the host to find
 * the one of its caller (fs/proc/proc_sysctl.c, proc_sys_compare): with a thousand containers that takes it a
 * millisecond for each file, where this takes some microseconds however many there are. What rtnetlink cannot change is
 * written there all the same: lib/system/sysctl.ts.
 */
import type { Family } from '../base/ip.ts';
import { bytes, encode, headed, plainNest, s32, struct, u32 } from './codec.ts';
import { encodeLink } from './link-codec.ts';
import type { Link } from './link-message.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import * as uapi from './uapi.ts';

const IPV4 = {
  arp_notify: uapi.IPV4_DEVCONF_ARP_NOTIFY,
  route_localnet: uapi.IPV4_DEVCONF_ROUTE_LOCALNET,
} as const;

const IPV6 = {
  accept_dad: uapi.DEVCONF_ACCEPT_DAD,
  accept_ra: uapi.DEVCONF_ACCEPT_RA,
  accept_ra_defrtr: uapi.DEVCONF_ACCEPT_RA_DEFRTR,
  accept_ra_min_hop_limit: uapi.DEVCONF_ACCEPT_RA_MIN_HOP_LIMIT,
  accept_ra_mtu: uapi.DEVCONF_ACCEPT_RA_MTU,
  accept_ra_pinfo: uapi.DEVCONF_ACCEPT_RA_PINFO,
  autoconf: uapi.DEVCONF_AUTOCONF,
  dad_transmits: uapi.DEVCONF_DAD_TRANSMITS,
  disable_ipv6: uapi.DEVCONF_DISABLE_IPV6,
  enhanced_dad: uapi.DEVCONF_ENHANCED_DAD,
  keep_addr_on_down: uapi.DEVCONF_KEEP_ADDR_ON_DOWN,
  max_addresses: uapi.DEVCONF_MAX_ADDRESSES,
  ndisc_notify: uapi.DEVCONF_NDISC_NOTIFY,
  optimistic_dad: uapi.DEVCONF_OPTIMISTIC_DAD,
  /** Here in milliseconds, there in seconds. */
  router_solicitation_delay: uapi.DEVCONF_RTR_SOLICIT_DELAY,
  router_solicitations: uapi.DEVCONF_RTR_SOLICITS,
  use_optimistic: uapi.DEVCONF_USE_OPTIMISTIC,
  use_tempaddr: uapi.DEVCONF_USE_TEMPADDR,
} as const;

/** By their names in conf/interface/. */
export const IPV4_SETTINGS = Object.keys(IPV4) as readonly Ipv4Setting[];
export const IPV6_SETTINGS = Object.keys(IPV6) as readonly Ipv6Setting[];

export type Ipv4Setting = keyof typeof IPV4;
export type Ipv6Setting = keyof typeof IPV6;

/** IFLA_AF_SPEC as the kernel tells it: all numbers of a family, in their order. */
const told = struct({
  inet: plainNest(uapi.AF_INET, struct({ conf: bytes(uapi.IFLA_INET_CONF) })),
  inet6: plainNest(uapi.AF_INET6, struct({ conf: bytes(uapi.IFLA_INET6_CONF) })),
});

/** And as it is told. */
const change4 = struct({ arp_notify: u32(IPV4.arp_notify) });
const changed = struct({
  inet: plainNest(uapi.AF_INET, struct({ conf: plainNest(uapi.IFLA_INET_CONF, change4) })),
});

function numberAt(numbers: Uint8Array | undefined, place: number): number | undefined {
  if (numbers === undefined || numbers.length < 4 * place + 4) return undefined;
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.length).readInt32LE(4 * place);
}

/** Each undefined where the kernel, or this link, has no such setting. */
export interface LinkSettings {
  ipv4(name: Ipv4Setting): number | undefined;
  /** A link has none with an MTU below 1280, nor any where the kernel has no IPv6. */
  ipv6(name: Ipv6Setting): number | undefined;
}

/** As they were when the kernel told of the link. */
export function settingsOf({ families }: Pick<Link, 'families'>): LinkSettings {
  const { inet, inet6 } = families === undefined ? {} : told.get(Buffer.from(families));
  return {
    // Those of IPv4 are numbered from one.
    ipv4: (name) => numberAt(inet?.conf, IPV4[name] - 1),
    ipv6: (name) => numberAt(inet6?.conf, IPV6[name]),
  };
}

/** The request that makes the kernel announce the IPv4 addresses of a link as it comes up, or changes its address. */
export function arpNotification(index: number, op: string): NetlinkRequest {
  const families = encode(changed, { inet: { conf: { arp_notify: 1 } } });
  return { type: uapi.RTM_NEWLINK, op, data: encodeLink({ families }, { index }) };
}

const netconf = headed(
  'a netconf message',
  { family: 1 },
  struct({ ifindex: s32(uapi.NETCONFA_IFINDEX), forwarding: s32(uapi.NETCONFA_FORWARDING) }),
);

/** Whether the socket's namespace forwards packets of the family (conf/all/forwarding). Throws SystemError. */
export function isForwarding(socket: NetlinkSocket, family: Family): boolean {
  const data = encode(netconf, {
    family: family === 4 ? uapi.AF_INET : uapi.AF_INET6,
    attributes: { ifindex: uapi.NETCONFA_IFINDEX_ALL },
  });
  const request = { type: uapi.RTM_GETNETCONF, op: `ask whether IPv${family} is forwarded`, data };
  return netconf.get(socket.ask(request).data).attributes.forwarding === 1;
}
