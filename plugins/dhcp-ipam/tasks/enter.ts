/** Finding a container's namespace and its interface again, by path, else through its processes. */
import { readdirSync, statSync } from 'node:fs';
import { NetmoorError, errorText, isErrno } from '../../../lib/base/errors.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import type { World } from '../../../lib/cni/world.ts';
import { IFA_F_DADFAILED, listAddresses } from '../../../lib/netlink/address.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import { IFF_UP, IF_OPER_UP } from '../../../lib/netlink/link-message.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { withSocketIn } from '../../../lib/netlink/socket-in.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import type { Netns } from '../../../lib/system/netns.ts';
import { ensureSysctlIfPresent, readSysctlIfPresent } from '../../../lib/system/sysctl.ts';

export interface Whereabouts {
  readonly path: string;
  /** "device:inode"; undefined: whatever is at the path. */
  readonly inode?: string;
  readonly ifname: string;
  /** As it was at ADD: numbers of namespaces are given again as soon as they are free. */
  readonly link?: { readonly index: number; readonly mac: string };
  /** ADD: the interface is raised, and prepared for the families that are asked for. */
  readonly prepare?: { readonly ipv6: 'stateful' | 'stateless' | 'none' };
}

export interface Entered {
  /** Of the open namespace, for the caller to close. */
  readonly fd: number;
  readonly inode: string;
  /** As it is called now. */
  readonly ifname: string;
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  /** IPv6 addresses that the kernel has found somebody else to have. */
  readonly duplicates: readonly string[];
  /** ifindex of the bridge port that the interface is plugged in by, while it does not forward yet. */
  readonly port?: number;
}

function gone(path: string, why: string): NetmoorError {
  return new NetmoorError(
    'bad-netns',
    `network namespace ${path} is gone: ${why}`,
    'the container has ended',
  );
}

/** A process in the namespace, whose path leads there as well. */
function pathByProcess(inode: string): string | undefined {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const path = `/proc/${pid}/ns/net`;
    try {
      const stat = statSync(path, { bigint: true });
      if (`${stat.dev}:${stat.ino}` === inode) return path;
    } catch {
      // It ended meanwhile.
    }
  }
  return undefined;
}

/** Nothing is there, or something else; unlike a path that could not be looked at, for want of descriptors say. */
function isAbsence(error: unknown): boolean {
  if (!(error instanceof NetmoorError) || error.kind !== 'bad-netns') return false;
  return error.cause === undefined || isErrno(error.cause, 'ENOENT', 'ESRCH', 'ENOTDIR');
}

function openAt(world: World, path: string, inode: string | undefined): Netns | undefined {
  try {
    const netns = world.openNetns(path);
    if (inode === undefined || netns.id === inode) return netns;
    world.closeNetns(netns);
    return undefined;
  } catch (error) {
    if (inode === undefined) throw error;
    if (isAbsence(error)) return undefined;
    const why = errorText(error instanceof NetmoorError ? (error.cause ?? error) : error);
    throw new NetmoorError('try-again', `${path} cannot be looked at: ${why}`, 'try again', { cause: error });
  }
}

/** The namespace; the caller closes it. Throws NetmoorError 'bad-netns' when it is gone for certain, 'try-again'. */
export function openAgain(world: World, { path, inode }: Pick<Whereabouts, 'path' | 'inode'>): Netns {
  const there = openAt(world, path, inode);
  if (there !== undefined) return there;
  const other = inode === undefined ? undefined : pathByProcess(inode);
  const found = other === undefined ? undefined : openAt(world, other, inode);
  if (found !== undefined) return found;
  throw gone(path, 'neither the path nor a process leads to it');
}

/** Throws NetmoorError 'not-available', or 'bad-netns' when it is another container's namespace by now. */
export function requireLink(route: NetlinkSocket, { path, ifname, link: known }: Whereabouts): Link {
  const named = findLink(route, ifname);
  if (known === undefined && named !== undefined) return named;
  if (known !== undefined) {
    if (named?.index === known.index || (named !== undefined && named.mac === known.mac)) return named;
    const renamed = findLink(route, known.index);
    if (renamed !== undefined && renamed.mac === known.mac) return renamed;
    if (named !== undefined) throw gone(path, `${ifname} there is not the interface that it was`);
  }
  throw new NetmoorError(
    'not-available',
    `the container has no interface ${ifname} to ask for addresses on`,
    'an IPAM plugin of DHCP needs it made first: is dhcp-ipam the "ipam" of a plugin that makes one?',
  );
}

/** What the interface's main plugin has set, which knows what else its addresses come of. */
const DECIDED = '2';

/**
 * Routers are believed in what they are there for, on-link prefixes and default routes, which DHCPv6 does not give;
 * addresses are the server's, unless it is asked for nothing but what it knows.
 */
function prepareIpv6(ifname: string, mode: 'stateful' | 'stateless'): void {
  const there = readSysctlIfPresent('net', 'ipv6', 'conf', ifname, 'accept_ra');
  if (there === DECIDED) return;
  const settings: [string, string][] = [
    ['disable_ipv6', '0'],
    ['accept_ra', '2'],
    ['accept_ra_defrtr', '1'],
    ['accept_ra_pinfo', '1'],
    ['autoconf', mode === 'stateless' ? '1' : '0'],
  ];
  for (const [key, value] of settings) {
    if (ensureSysctlIfPresent(value, 'net', 'ipv6', 'conf', ifname, key)) continue;
    throw new NetmoorError('kernel', 'this kernel has no IPv6', 'ask for "ip": 4, or boot with IPv6');
  }
}

function prepare(netns: Netns, route: NetlinkSocket, link: Link, { ipv6 }: { ipv6: string }): void {
  if (ipv6 === 'stateful' || ipv6 === 'stateless') inNetns(netns, () => prepareIpv6(link.name, ipv6));
  if ((link.flags & IFF_UP) === 0) route.request(linkChange(link.index, { up: true }, `raise ${link.name}`));
}

/**
 * A bridge takes nothing from a port before the kernel has seen to its carrier, which takes a moment, or, when many
 * come at once, seconds (linkwatch): what is sent before is lost.
 */
function waitingPort({ index, kind, peer }: Link): number | undefined {
  if (kind !== 'veth' || peer === undefined) return undefined;
  const route = NetlinkSocket.open('route');
  try {
    const port = findLink(route, peer);
    // The other end may be in yet another namespace, where its number means another interface.
    const isOurs = port?.kind === 'veth' && port.peer === index && port.master !== undefined;
    return isOurs && port.operstate !== IF_OPER_UP ? port.index : undefined;
  } finally {
    route.close();
  }
}

function duplicatesOn(route: NetlinkSocket, { index }: Link): string[] {
  return listAddresses(route, index)
    .filter(({ flags }) => (flags & IFA_F_DADFAILED) !== 0)
    .map(({ prefix }) => formatAddress(prefix.address));
}

/** Throws NetmoorError 'bad-netns' or 'not-available'. */
export function enter(world: World, where: Whereabouts): Entered {
  const netns = openAgain(world, where);
  try {
    return withSocketIn(netns, 'route', (route) => {
      const link = requireLink(route, where);
      if (where.prepare) prepare(netns, route, link, where.prepare);
      const port = where.prepare ? waitingPort(link) : undefined;
      return {
        fd: netns.fd,
        inode: netns.id,
        ifname: link.name,
        index: link.index,
        mac: link.mac ?? '',
        mtu: link.mtu,
        duplicates: where.prepare ? [] : duplicatesOn(route, link),
        ...(port === undefined ? {} : { port }),
      };
    });
  } catch (error) {
    world.closeNetns(netns);
    throw error;
  }
}

/** A namespace that only a process leads to may have the number of one that is gone. */
function lookInside(netns: Netns, where: Whereabouts): void {
  if (netns.path === where.path || where.link === undefined) return;
  withSocketIn(netns, 'route', (route) => requireLink(route, where));
}

/** Which of them are gone for certain: why, in words, by their place in the list. */
export function whoIsGone(world: World, list: readonly Whereabouts[]): readonly (string | null)[] {
  return list.map((where) => {
    try {
      const netns = openAgain(world, where);
      try {
        lookInside(netns, where);
      } finally {
        world.closeNetns(netns);
      }
      return null;
    } catch (error) {
      const isCertain = error instanceof NetmoorError && error.kind === 'bad-netns';
      return isCertain ? errorText(error) : null;
    }
  });
}
