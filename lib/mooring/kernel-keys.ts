/**
 * The kernel's settings of one interface in the container (Documentation/networking/ip-sysctl.rst). They decide what
 * the kernel does at the moment the interface is raised, and must be set before.
 */
import { NetmoorError } from '../base/errors.ts';
import type { Prefix } from '../base/ip.ts';
import { ensureSysctl, ensureSysctlIfPresent, readSysctlIfPresent } from '../system/sysctl.ts';

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
  readonly ifname: string;
  readonly addresses: readonly Prefix[];
  readonly dad: Dad;
  /** Default: ignored. */
  readonly routers?: Routers;
}

type Settings = readonly (readonly [string, string])[];

/** By how addresses are looked for. */
const DETECTION: Readonly<Record<Dad, Settings>> = {
  // Nobody else can hold the link-local address of this MAC here; a second of DAD would only delay the first packet.
  off: [['accept_dad', '0']],
  strict: [['accept_dad', '1']],
  optimistic: [
    ['accept_dad', '1'],
    ['optimistic_dad', '1'],
    ['use_optimistic', '1'],
  ],
};

/**
 * Default routes and prefixes as routers say, whatever the container forwards; no second address that changes. Routers
 * are anybody on the LAN: of addresses the kernel's default number, and a hop limit by which the container still gets
 * beyond the LAN (RFC 4861, section 6.3.4, knows no such bound).
 */
const ROUTES: Settings = [
  ['accept_ra', '2'],
  ['accept_ra_defrtr', '1'],
  ['accept_ra_pinfo', '1'],
  ['accept_ra_mtu', '1'],
  ['use_tempaddr', '0'],
  ['max_addresses', '16'],
  ['accept_ra_min_hop_limit', '32'],
  ['router_solicitations', '-1'],
];

const BELIEVED: Readonly<Record<Routers, Settings>> = {
  // Where addresses and gateway are given, a neighbour that plays router is not to be believed; in a network without
  // IPv6 least of all, where nobody would look for a default route of it.
  ignored: [['accept_ra', '0']],
  routes: [...ROUTES, ['autoconf', '0']],
  slaac: [...ROUTES, ['autoconf', '1']],
};

/**
 * In the calling thread's namespace. Throws NetmoorError('kernel') when IPv6 is wanted and the kernel has none.
 */
export function setKernelKeys({ ifname, addresses, dad, routers = 'ignored' }: KeysWanted): void {
  const believed = routers !== 'ignored';
  const conf = (value: string, family: 'ipv4' | 'ipv6', name: string, key: string): boolean =>
    ensureSysctlIfPresent(value, 'net', family, 'conf', name, key);
  conf('1', 'ipv4', ifname, 'arp_notify');
  if (!believed) for (const [key, value] of BELIEVED.ignored) conf(value, 'ipv6', ifname, key);
  if (!believed && !addresses.some(({ address }) => address.family === 6)) return;
  const present = conf('0', 'ipv6', ifname, 'disable_ipv6');
  if (!present) {
    throw new NetmoorError(
      'kernel',
      'this kernel has no IPv6',
      'remove the IPv6 ranges from the network config, or boot with IPv6',
    );
  }
  conf('0', 'ipv6', 'lo', 'disable_ipv6');
  conf('1', 'ipv6', ifname, 'ndisc_notify');
  conf('1', 'ipv6', ifname, 'keep_addr_on_down');
  // With routers, those who wait for the end of detection ask them meanwhile.
  const detection = DETECTION[believed && dad === 'strict' ? 'optimistic' : dad];
  for (const [key, value] of [...BELIEVED[routers], ...detection]) conf(value, 'ipv6', ifname, key);
  if (dad === 'off') return;
  conf('1', 'ipv6', ifname, 'dad_transmits');
  // With hairpin mode a container hears its own probes: the nonce tells them apart (RFC 7527).
  conf('1', 'ipv6', ifname, 'enhanced_dad');
  // Also the longest time that detection is put off by (addrconf_dad_kick), for hosts that all start at once.
  conf('0', 'ipv6', ifname, 'router_solicitation_delay');
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
