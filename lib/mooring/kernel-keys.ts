/**
 * The kernel's settings of one interface in the container (Documentation/networking/ip-sysctl.rst). They decide what
 * the kernel does at the moment the interface is raised, and must be set before.
 */
import { NetmoorError } from '../base/errors.ts';
import type { Prefix } from '../base/ip.ts';
import { arpNotification, settingsOf } from '../netlink/devconf.ts';
import type { Ipv6Setting } from '../netlink/devconf.ts';
import { findLink } from '../netlink/link.ts';
import type { Link } from '../netlink/link-message.ts';
import { inNetns } from '../system/netns.ts';
import { ensureSysctl, readSysctlIfPresent, writeSysctlsIn } from '../system/sysctl.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * Whether the kernel looks for duplicates of IPv6 addresses, and whether they can be used meanwhile (RFC 4862, RFC
 * 4429); "off" for what a store rules out.
 */
export type Dad = 'strict' | 'optimistic' | 'off';

/**
 * What routers are believed in: nothing; which prefixes are on the link and the way out, where a DHCPv6 server gives
 * the addresses; addresses as well (RFC 4862).
 */
export type Routers = 'ignored' | 'routes' | 'slaac';

export interface KeysWanted {
  readonly addresses: readonly Prefix[];
  readonly dad: Dad;
  /** Default: ignored. */
  readonly routers?: Routers;
}

type Settings = readonly (readonly [Ipv6Setting, number])[];

/** By how addresses are looked for. */
const DETECTION: Readonly<Record<Dad, Settings>> = {
  // Nobody else can hold the link-local address of this MAC here; a second of DAD would only delay the first packet.
  off: [['accept_dad', 0]],
  strict: [['accept_dad', 1]],
  optimistic: [
    ['accept_dad', 1],
    ['optimistic_dad', 1],
    ['use_optimistic', 1],
  ],
};

/** What comes with it, unless it is off. */
const DETECTED: Settings = [
  ['dad_transmits', 1],
  // With hairpin mode a container hears its own probes: the nonce tells them apart (RFC 7527).
  ['enhanced_dad', 1],
  // Also the longest time that detection is put off by (addrconf_dad_kick), for hosts that all start at once.
  ['router_solicitation_delay', 0],
];

/**
 * Default routes and prefixes as routers say, whatever the container forwards; no second address that changes. Routers
 * are anybody on the LAN: of addresses the kernel's default number, and a hop limit by which the container still gets
 * beyond the LAN (RFC 4861, section 6.3.4, knows no such bound).
 */
const ROUTES: Settings = [
  ['accept_ra', 2],
  ['accept_ra_defrtr', 1],
  ['accept_ra_pinfo', 1],
  ['accept_ra_mtu', 1],
  ['use_tempaddr', 0],
  ['max_addresses', 16],
  ['accept_ra_min_hop_limit', 32],
  ['router_solicitations', -1],
];

const BELIEVED: Readonly<Record<Routers, Settings>> = {
  // Where addresses and gateway are given, a neighbour that plays router is not to be believed; in a network without
  // IPv6 least of all, where nobody would look for a default route of it.
  ignored: [['accept_ra', 0]],
  routes: [...ROUTES, ['autoconf', 0]],
  slaac: [...ROUTES, ['autoconf', 1]],
};

const IPV6: Settings = [
  ['disable_ipv6', 0],
  ['ndisc_notify', 1],
  ['keep_addr_on_down', 1],
];

function keysFor({ addresses, dad, routers = 'ignored' }: KeysWanted): Settings {
  const believed = routers !== 'ignored';
  if (!believed && !addresses.some(({ address }) => address.family === 6)) return BELIEVED.ignored;
  // With routers, those who wait for the end of detection ask them meanwhile.
  const detection = DETECTION[believed && dad === 'strict' ? 'optimistic' : dad];
  return [...IPV6, ...BELIEVED[routers], ...detection, ...(dad === 'off' ? [] : DETECTED)];
}

/** Throws NetmoorError('kernel') when IPv6 is wanted and the kernel has none. */
export function setKernelKeys({ netns, route, withProcfs }: Sandbox, link: Link, wanted: KeysWanted): void {
  const settings = settingsOf(link);
  const keys = keysFor(wanted);
  const isMissing = settings.ipv6('disable_ipv6') === undefined;
  if (isMissing && keys !== BELIEVED.ignored) {
    throw new NetmoorError(
      'kernel',
      'this kernel has no IPv6',
      'remove the IPv6 ranges from the network config, or boot with IPv6',
    );
  }
  const notifies = settings.ipv4('arp_notify') ?? 1;
  if (notifies !== 1) route.request(arpNotification(link.index, `let ${link.name} announce its addresses`));
  const amiss = isMissing ? [] : keys.filter(([key, value]) => settings.ipv6(key) !== value);
  const loopback = keys === BELIEVED.ignored ? undefined : findLink(route, 'lo');
  const isOff = loopback !== undefined && settingsOf(loopback).ipv6('disable_ipv6') === 1;
  if (amiss.length === 0 && !isOff) return;
  withProcfs((proc) =>
    inNetns(netns, () => {
      if (isOff) writeSysctlsIn(['net', 'ipv6', 'conf', 'lo'], [['disable_ipv6', 0]], proc);
      writeSysctlsIn(['net', 'ipv6', 'conf', link.name], amiss, proc);
    }),
  );
}

/**
 * Milliseconds that detection of an optimistic address takes instead of a second (RFC 4862, RetransTimer): until its
 * end the container may not ask who has an address (RFC 4429, section 3.2), and reaches on the LAN only whom it knows.
 */
const QUICK_DETECTION_MS = '100';

/**
 * Shortens the detection that begins from now on, in the calling thread's namespace; returns what puts the time back,
 * which also counts for questions to neighbours.
 */
export function quickenDetection(ifname: string): () => void {
  const key = ['net', 'ipv6', 'neigh', ifname, 'retrans_time_ms'] as const;
  const usual = readSysctlIfPresent(...key);
  if (usual === undefined || Number(usual) <= Number(QUICK_DETECTION_MS)) return () => {};
  ensureSysctl(QUICK_DETECTION_MS, ...key);
  return () => ensureSysctl(usual, ...key);
}
