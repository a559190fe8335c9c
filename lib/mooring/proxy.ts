/**
 * Addresses of containers that the host answers for on its uplink, so that an on-link prefix reaches them without NAT
 * (proxy ARP, proxied neighbour discovery: RFC 4861, section 7.2.8). Entries bear netmoor's number (NDA_PROTOCOL); what
 * a person made is used, and stays his.
 */
import { formatAddress, sameAddress } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { findLink } from '../netlink/link.ts';
import { listProxies, proxyAddition, proxyRemoval } from '../netlink/proxy-neighbour.ts';
import type { ProxyNeighbour } from '../netlink/proxy-neighbour.ts';
import type { Link } from '../netlink/link-message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ensureSysctlIfPresent, readSysctlIfPresent } from '../system/sysctl.ts';
import { IFAPROT_NETMOOR } from './marks.ts';

type Uplink = Pick<Link, 'index' | 'name'>;

/** Any number but 0 means on (proc_dointvec); this one tells what we have switched on from what a person has. */
const ON_BY_US = String(IFAPROT_NETMOOR);

/**
 * The interface's switch has multicast solicitations answered. Unicast ones, by which a neighbour sees whether an
 * address is still there, are answered only with that of "all" (ip6_forward: "XXX: idev->cnf.proxy_ndp?"); otherwise
 * traffic stalls for a second or so whenever one is due.
 */
function switchesOf(name: string): string[][] {
  return [name, 'all'].map((scope) => ['net', 'ipv6', 'conf', scope, 'proxy_ndp']);
}

/** The entries of netmoor on one interface, or on all (index 0). */
export function ownProxies(route: NetlinkSocket, index = 0): ProxyNeighbour[] {
  return listProxies(route, index).filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
}

/** Has the host answer for the addresses on that link; it may be repeated. Throws SystemError. */
export function answerFor(
  route: NetlinkSocket,
  { index, name }: Uplink,
  addresses: readonly Address[],
): void {
  const present = listProxies(route, index);
  const missing = addresses.filter((each) => !present.some(({ address }) => sameAddress(address, each)));
  route.requestAll(
    missing.map((address) =>
      proxyAddition(
        { index, address, protocol: IFAPROT_NETMOOR },
        `answer for ${formatAddress(address)} on ${name}`,
      ),
    ),
  );
  // After the entries, so that who takes the last of others away meanwhile sees them (stopAnswering).
  if (addresses.some(({ family }) => family === 6)) switchOn(name);
}

function switchOn(name: string): void {
  for (const key of switchesOf(name))
    if (readSysctlIfPresent(...key) === '0') ensureSysctlIfPresent(ON_BY_US, ...key);
}

/** Whether the kernel answers solicitations on the interface, multicast and unicast ones. */
export function isAnswering(name: string): boolean {
  return switchesOf(name).every((key) => readSysctlIfPresent(...key) !== '0');
}

/**
 * Stops that, on whatever link, for entries of netmoor alone; what is gone is fine. `names`: of the interfaces that
 * answerFor() was told; with the last of an interface, and of the host, goes what it switched on. Throws SystemError.
 */
export function stopAnswering(
  route: NetlinkSocket,
  names: readonly string[],
  addresses: readonly Address[],
): void {
  const going = ownProxies(route).filter(({ address }) =>
    addresses.some((each) => sameAddress(each, address)),
  );
  route.requestAll(
    going.map(({ index, address }) =>
      proxyRemoval({ index, address }, `stop answering for ${formatAddress(address)} on #${index}`),
    ),
    'ENOENT',
    'ENODEV',
    'EINVAL',
  );
  const renamed = going.flatMap(({ index }) => findLink(route, index)?.name ?? []);
  for (const name of new Set([...names, ...renamed])) switchOffUnused(route, name);
}

/** Switches off what answerFor() switched on, where nothing of ours needs it any more. */
function switchOffUnused(route: NetlinkSocket, name: string): void {
  const used = (index: number): boolean =>
    ownProxies(route, index).some(({ address }) => address.family === 6);
  const index = findLink(route, name)?.index;
  const [ofLink, ofAll] = switchesOf(name);
  for (const [key, which] of [
    [ofLink, index],
    [ofAll, 0],
  ] as const) {
    if (key === undefined || which === undefined || used(which)) continue;
    if (readSysctlIfPresent(...key) !== ON_BY_US) continue;
    ensureSysctlIfPresent('0', ...key);
    // Somebody may have begun meanwhile, and found it switched on still.
    if (used(which)) ensureSysctlIfPresent(ON_BY_US, ...key);
  }
}
