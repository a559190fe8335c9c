/** Routers of the LAN, where they are to tell the way out: asked, waited for, and put into the result. */
import { isErrno } from '../base/errors.ts';
import { formatAddress } from '../base/ip.ts';
import type { UndoStack } from '../base/undo.ts';
import { compactDns } from '../cni/result.ts';
import type { CniRoute, Dns } from '../cni/result.ts';
import { openAutoconfWatch, untilAutoconfigured } from '../netlink/autoconf.ts';
import type { Autoconfigured } from '../netlink/autoconf.ts';
import type { Link } from '../netlink/link-message.ts';
import { listRoutes } from '../netlink/route.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { RT_TABLE_MAIN } from '../netlink/uapi.ts';
import { solicitRouters } from '../system/neighbour-discovery.ts';
import { inNetns } from '../system/netns.ts';
import type { Netns } from '../system/netns.ts';
import { ensureSysctlIfPresent } from '../system/sysctl.ts';
import type { Sandbox } from './sandbox.ts';

/** Of the kernel's numbers (u32). */
const LAST_METRIC = 0xffffffff;

/** The metric of IPv6 routes for which nobody names one (linux/ipv6_route.h). */
const IP6_RT_PRIO_USER = 1024;

/**
 * Routers of this LAN come behind the IPv6 default routes that the container has by another network: of two with one
 * metric the kernel would take now this, now that one (find_rr_leaf). Said before the interface is raised; kernels
 * before 5.12 do not know it.
 */
function rankRouters({ netns, route }: Sandbox, name: string): void {
  const metrics = listRoutes(route, 6)
    .filter(({ destination, table }) => destination.length === 0 && table === RT_TABLE_MAIN)
    .map(({ priority = IP6_RT_PRIO_USER }) => priority);
  if (metrics.length === 0) return;
  const last = metrics.reduce((most, each) => Math.max(most, each), 0);
  const metric = String(Math.min(last + IP6_RT_PRIO_USER, LAST_METRIC));
  inNetns(netns, () => ensureSysctlIfPresent(metric, 'net', 'ipv6', 'conf', name, 'ra_defrtr_metric'));
}

/** What the kernel tells of routers from here on. */
export interface RouterWatch {
  readonly notifications: NetlinkSocket;
  /** May be said more than once. */
  readonly close: () => void;
}

/** Begun before the interface `ifname` is raised, where routers are to be heard. */
export function openRouterWatch(sandbox: Sandbox, ifname: string, undo: UndoStack): RouterWatch {
  rankRouters(sandbox, ifname);
  const notifications = inNetns(sandbox.netns, openAutoconfWatch);
  let open = true;
  const close = (): void => {
    if (open) notifications.close();
    open = false;
  };
  undo.push('stop listening', close);
  return { notifications, close };
}

/** False when the link has no address to ask from: the one it had a moment ago turned out to be another's. */
export function askRouters(netns: Netns, { index }: Pick<Link, 'index'>): boolean {
  try {
    inNetns(netns, () => solicitRouters(index));
    return true;
  } catch (error) {
    if (isErrno(error, 'EADDRNOTAVAIL')) return false;
    throw error;
  }
}

/** Routers can tell any; the kernel heeds it from the least of IPv6 up to the link's own (ndisc_router_discovery). */
const LEAST_MTU = 1280;

/** Default routes by routers, as the result tells of them. */
export function routesBy({ routes, mtu }: Autoconfigured, link: Link): CniRoute[] {
  const heeded = mtu !== undefined && mtu >= LEAST_MTU && mtu <= link.mtu ? { mtu } : {};
  return routes.flatMap(({ gateway }) =>
    gateway === undefined ? [] : [{ dst: '::/0', gw: formatAddress(gateway), ...heeded }],
  );
}

export function dnsBy({ servers, domains }: Autoconfigured): Dns {
  return compactDns({ nameservers: servers.map(formatAddress), search: domains });
}

/**
 * Milliseconds that a router is waited for which need not be there: one that is answers within half a second (RFC 4861,
 * MAX_RA_DELAY_TIME), unless it has advertised less than three before.
 */
export const ROUTER_MS = 1_000;

/**
 * Waits for a router to speak, and not long. `notifications`: of openRouterWatch(), opened before the interface was
 * raised.
 */
export function awaitRouter(
  { netns, route }: Sandbox,
  link: Link,
  notifications: NetlinkSocket,
  now: () => number,
): Autoconfigured {
  const solicit = (): boolean => askRouters(netns, link);
  const wanted = {
    index: link.index,
    until: 'word',
    strict: false,
    solicit,
    milliseconds: ROUTER_MS,
  } as const;
  return untilAutoconfigured({ route, notifications }, wanted, now);
}
