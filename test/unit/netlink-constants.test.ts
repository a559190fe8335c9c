/**
 * The numbers of lib/netlink/uapi.ts, every one of them, against the kernel's own headers, and against the `netlink`
 * package where that knows them: as an enumeration, or by what it writes.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import t from 'tap';
import type { StreamData } from 'netlink/dist/structs.js';
import { AttrStream, parseAttributes } from 'netlink/dist/structs.js';
import * as uapi from '../../lib/netlink/uapi.ts';
import { readGoldens } from '../golden/golden.ts';
import { readHeaders } from './netlink-headers.ts';

const require = createRequire(import.meta.url);
const core = require('netlink/dist/constants.js') as typeof import('netlink/dist/constants.js');
const rt = require('netlink/dist/rt/gen_structs.js') as typeof import('netlink/dist/rt/gen_structs.js');
const ifla = require('netlink/dist/rt/ifla.js') as typeof import('netlink/dist/rt/ifla.js');

const HEADERS = [
  'linux/netlink.h',
  'linux/sock_diag.h',
  'linux/inet_diag.h',
  'linux/rtnetlink.h',
  'linux/if_link.h',
  'linux/net_namespace.h',
  'linux/veth.h',
  'linux/if.h',
  'linux/if_bridge.h',
  'linux/if_addr.h',
  'linux/fib_rules.h',
  'linux/neighbour.h',
  'linux/icmpv6.h',
  'linux/pkt_sched.h',
  'linux/pkt_cls.h',
  'linux/tc_act/tc_mirred.h',
  'linux/netfilter/nfnetlink.h',
  'linux/netfilter/nfnetlink_conntrack.h',
  'linux/in.h',
  'linux/ip.h',
  'linux/ipv6.h',
  'linux/netconf.h',
  'asm-generic/socket.h',
];
const missing = HEADERS.filter((path) => !existsSync(`/usr/include/${path}`));
const skip = missing.length > 0 && `lacks /usr/include/${missing[0]} (linux-libc-dev)`;

/** In no header for user space. */
const FAMILIES = ['AF_UNSPEC', 'AF_INET', 'AF_INET6', 'AF_BRIDGE'];
/** The same; the kernel tests see them happen. */
const INET6 = ['IF_RS_SENT', 'IF_RA_RCVD', 'IF_RA_MANAGED', 'IF_RA_OTHERCONF', 'IF_READY'];
const IN_NO_HEADER = [...FAMILIES, ...INET6];

const all: readonly (readonly [string, number])[] = Object.entries(uapi);

t.test('the kernel’s headers', { skip }, async (t) => {
  const header = readHeaders(HEADERS);
  t.ok(all.length > 100, 'there are constants');
  for (const [name, value] of all.filter(([name]) => !IN_NO_HEADER.includes(name)))
    t.equal(value, header(name), name);
});

t.test('address families are those that ip and bridge send', async (t) => {
  const families = (beginning: string) =>
    readGoldens('ip.hex')
      .filter(({ command }) => command.startsWith(beginning))
      .map(({ messages }) => messages[0]?.data[0]);
  t.strictSame(new Set(families('ip link set')), new Set([uapi.AF_UNSPEC]));
  t.strictSame(new Set(families('ip address add 10.')), new Set([uapi.AF_INET]));
  t.strictSame(new Set(families('ip address add fd00:')), new Set([uapi.AF_INET6]));
  t.strictSame(new Set(families('bridge link set')), new Set([uapi.AF_BRIDGE]));
});

/** The number of the one attribute that the package writes. */
function numberOf(data: StreamData): number {
  const stream = new AttrStream();
  stream.emit(data);
  const types: number[] = [];
  parseAttributes(Buffer.concat(stream.bufs), ({ type }) => types.push(type));
  const [type] = types;
  if (type === undefined || types.length > 1) throw new Error(`${types.length} attributes`);
  return type;
}

const raw = Buffer.alloc(4);
const link = (attributes: object): number => numberOf(ifla.formatLinkAttrs(attributes));
const info = (attributes: object): number => numberOf(ifla.formatInfo(attributes));
const port = (attributes: object): number => numberOf(ifla.formatBridgePort(attributes));
const macvlan = (attributes: object): number => numberOf(ifla.formatMacvlan(attributes));
const inet6 = (attributes: object): number => numberOf(ifla.formatLinkProtocolInfoInet6(attributes));
const address = (attributes: object): number => numberOf(rt.formatAddressAttrs(attributes));
const route = (attributes: object): number => numberOf(rt.formatRouteAttrs(attributes));
const rule = (attributes: object): number => numberOf(rt.formatRuleAttrs(attributes));
const metric = (attributes: object): number => numberOf(rt.formatRouteMetrics(attributes));
const tc = (attributes: object): number => numberOf(rt.formatTcAttrs(attributes));

/** The members of an enumeration of the package's, under the kernel's prefix. */
function prefixed(prefix: string, enumeration: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(enumeration).map(([name, value]) => [`${prefix}${name}`, value] as const),
  );
}

const PACKAGE: Readonly<Record<string, unknown>> = {
  ...prefixed('NETLINK_', core.Protocol),
  ...prefixed('NETLINK_', core.Attributes),
  ...prefixed('NLM_F_', core.Flags),
  ...prefixed('NLM_F_', core.FlagsGet),
  ...prefixed('NLM_F_', core.FlagsNew),
  ...prefixed('NLM_F_', core.FlagsAck),
  ...prefixed('NLMSG_', core.MessageType),
  ...prefixed('RTM_', rt.MessageType),
  ...prefixed('RTNLGRP_', rt.MulticastGroups),
  ...prefixed('RTN_', rt.RouteType),
  ...prefixed('RTPROT_', rt.RouteProtocol),
  ...prefixed('RT_SCOPE_', rt.RouteScope),
  ...prefixed('RT_TABLE_', rt.RoutingTableClass),
  RTA_DST: route({ dst: raw }),
  RTA_OIF: route({ oif: 1 }),
  RTA_GATEWAY: route({ gateway: raw }),
  RTA_PRIORITY: route({ priority: 1 }),
  RTA_METRICS: route({ metrics: {} }),
  RTA_CACHEINFO: route({ cacheInfo: {} }),
  RTA_MULTIPATH: route({ multipath: raw }),
  RTA_EXPIRES: route({ expires: raw }),
  RTA_TABLE: route({ table: 1 }),
  RTA_PREF: route({ pref: raw }),
  RTA_PREFSRC: route({ prefsrc: raw }),
  FRA_DST: rule({ dst: raw }),
  FRA_SRC: rule({ src: raw }),
  FRA_IIFNAME: rule({ iifname: 'x' }),
  FRA_PRIORITY: rule({ priority: 1 }),
  FRA_FWMARK: rule({ fwmark: 1 }),
  FRA_SUPPRESS_PREFIXLEN: rule({ suppressPrefixlen: raw }),
  FRA_TABLE: rule({ table: 1 }),
  FRA_FWMASK: rule({ fwmask: 1 }),
  FRA_OIFNAME: rule({ oifname: 'x' }),
  FRA_PROTOCOL: rule({ protocol: 1 }),
  FR_ACT_TO_TBL: rt.RuleAction.toTbl,
  FR_ACT_BLACKHOLE: rt.RuleAction.blackhole,
  FR_ACT_UNREACHABLE: rt.RuleAction.unreachable,
  FR_ACT_PROHIBIT: rt.RuleAction.prohibit,
  FIB_RULE_INVERT: rt.formatRuleFlags({ invert: true }),
  RTAX_MTU: metric({ mtu: raw }),
  RTAX_ADVMSS: metric({ advmss: raw }),
  RTEXT_FILTER_BRVLAN: rt.formatRtExtFilter({ brvlan: true }),
  RTEXT_FILTER_SKIP_STATS: rt.formatRtExtFilter({ skipStats: true }),
  TCA_KIND: tc({ kind: 'x' }),
  TCA_OPTIONS: tc({ options: raw }),
  IFLA_ADDRESS: link({ address: raw }),
  IFLA_IFNAME: link({ ifname: 'x' }),
  IFLA_MTU: link({ mtu: 1 }),
  IFLA_LINK: link({ link: raw }),
  IFLA_MASTER: link({ master: 1 }),
  IFLA_TXQLEN: link({ txqlen: 1 }),
  IFLA_PROTINFO: link({ protinfo: new Map() }),
  IFLA_OPERSTATE: link({ operstate: 1 }),
  IFLA_LINKINFO: link({ linkinfo: raw }),
  IFLA_IFALIAS: link({ ifalias: 'x' }),
  IFLA_AF_SPEC: link({ afSpec: new Map() }),
  IFLA_GROUP: link({ group: 1 }),
  IFLA_NET_NS_FD: link({ netNsFd: 1 }),
  IFLA_EXT_MASK: link({ extMask: raw }),
  IFLA_PROMISCUITY: link({ promiscuity: 1 }),
  IFLA_LINK_NETNSID: link({ linkNetnsid: 1 }),
  IFLA_TARGET_NETNSID: link({ targetNetnsid: 1 }),
  IFLA_INFO_KIND: info({ kind: 'x' }),
  IFLA_INFO_DATA: info({ data: raw }),
  IFLA_INFO_SLAVE_KIND: info({ slaveKind: 'x' }),
  IFLA_INFO_SLAVE_DATA: info({ slaveData: raw }),
  IFLA_BRPORT_MODE: port({ mode: 1 }),
  IFLA_BRPORT_ISOLATED: port({ isolated: raw }),
  IFLA_INET6_FLAGS: inet6({ flags: 1 }),
  IFLA_INET6_TOKEN: inet6({ token: raw }),
  IFLA_INET6_ADDR_GEN_MODE: inet6({ addrGenMode: 1 }),
  ...prefixed('IN6_ADDR_GEN_MODE_', ifla.In6AddrGenMode),
  IFLA_MACVLAN_MODE: macvlan({ mode: 1 }),
  IFLA_MACVLAN_FLAGS: macvlan({ flags: 1 }),
  MACVLAN_MODE_PRIVATE: ifla.formatMacvlanMode({ private: true }),
  MACVLAN_MODE_VEPA: ifla.formatMacvlanMode({ vepa: true }),
  MACVLAN_MODE_BRIDGE: ifla.formatMacvlanMode({ bridge: true }),
  MACVLAN_MODE_PASSTHRU: ifla.formatMacvlanMode({ passthru: true }),
  VETH_INFO_PEER: numberOf(ifla.formatVethInfo({ peer: raw } as object)),
  IFF_UP: rt.formatDeviceFlags({ up: true }),
  IFF_ALLMULTI: rt.formatDeviceFlags({ allmulti: true }),
  IFF_LOWER_UP: rt.formatDeviceFlags({ lowerUp: true }),
  IFF_LOOPBACK: rt.formatDeviceFlags({ loopback: true }),
  IFF_PROMISC: rt.formatDeviceFlags({ promisc: true }),
  IFA_ADDRESS: address({ address: raw }),
  IFA_LABEL: address({ label: 'x' }),
  IFA_LOCAL: address({ local: raw }),
  IFA_BROADCAST: address({ broadcast: raw }),
  IFA_CACHEINFO: address({ cacheInfo: { prefered: 0, valid: 0, cstamp: 0, tstamp: 0 } }),
  IFA_FLAGS: address({ flags: {} }),
  IFA_F_TEMPORARY: rt.formatAddressFlags({ secondary: true }),
  IFA_F_NODAD: rt.formatAddressFlags({ nodad: true }),
  IFA_F_OPTIMISTIC: rt.formatAddressFlags({ optimistic: true }),
  IFA_F_DADFAILED: rt.formatAddressFlags({ dadfailed: true }),
  IFA_F_DEPRECATED: rt.formatAddressFlags({ deprecated: true }),
  IFA_F_TENTATIVE: rt.formatAddressFlags({ tentative: true }),
  IFA_F_HOMEADDRESS: rt.formatAddressFlags({ homeaddress: true }),
  IFA_F_MCAUTOJOIN: rt.formatAddressFlags({ mcautojoin: true }),
  IFA_F_PERMANENT: rt.formatAddressFlags({ permanent: true }),
  IFA_F_MANAGETEMPADDR: rt.formatAddressFlags({ managetempaddr: true }),
  IFA_F_NOPREFIXROUTE: rt.formatAddressFlags({ noprefixroute: true }),
  IFA_F_STABLE_PRIVACY: rt.formatAddressFlags({ stablePrivacy: true }),
};

/** What the package does not know: younger than it, or not of rtnetlink, or only passed on by it. */
const ONLY_IN_HEADERS = [
  /^IFA_PROTO$/,
  /^(IFLA_BR_|IFLA_BRIDGE_|BRIDGE_)/,
  /^RTA_NH_ID$/,
  /^RTNH_F_/,
  /^IFF_(POINTOPOINT|NOARP)$/,
  /^IFLA_(PROP_LIST|ALT_IFNAME)$/,
  /^NETNSA_/,
  /^NDA_/,
  /^(NTF|NUD)_/,
  /^NDUSEROPT_/,
  /^PREFIX_ADDRESS$/,
  /^IFLA_INET6_RA_MTU$/,
  /^IFLA_INET6?_CONF$/,
  /^(IPV4_)?DEVCONF_/,
  /^NETCONFA_/,
  /^IFAPROT_/,
  /^ICMPV6_/,
  /^IFLA_MACVLAN_BC_QUEUE_LEN$/,
  /^MACVLAN_FLAG_/,
  /^IF_OPER_/,
  /^NLMSGERR_ATTR_/,
  /^NLA_F_/,
  /^TC_/,
  /^TCA_(TBF|U32|ACT|MIRRED|EGRESS)_/,
  /^(NFNL|IPCTNL|CTA)_/,
  /^IPPROTO_/,
  /^SOL?_/,
  /^SOCK_DIAG_/,
  /^INET_DIAG_/,
];

t.test('the netlink package', async (t) => {
  for (const [name, value] of all) {
    if (IN_NO_HEADER.includes(name) || ONLY_IN_HEADERS.some((pattern) => pattern.test(name)))
      t.notOk(Object.hasOwn(PACKAGE, name), `${name} is not one of the package’s`);
    else t.equal(value, PACKAGE[name], name);
  }
});
