/** The host as a router: forwarding, and the MTU of the way out. */
import { readdirSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { lookupRoute } from '../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { ensureSysctl, readSysctl } from '../../lib/system/sysctl.ts';

/** Somewhere far away in each family; a route is looked up, nothing is ever sent. */
const FAR_AWAY: Readonly<Record<Family, string>> = { 4: '1.1.1.1', 6: '2606:4700:4700::1111' };

/** The interface that the host reaches the world through, by its routing table; undefined when it has no way out. */
export function findUplink(host: NetlinkSocket): Link | undefined {
  for (const family of [4, 6] as const) {
    const index = lookupRoute(host, parseAddress(FAR_AWAY[family]))?.interface;
    const link = index === undefined ? undefined : findLink(host, index);
    if (link) return link;
  }
  return undefined;
}

/**
 * A router ignores router advertisements (ip-sysctl accept_ra=1), so switching forwarding on would take the host's own
 * default route away when it came by one. accept_ra=2 keeps listening.
 */
function keepListeningToRouters(): void {
  for (const name of readdirSync('/proc/sys/net/ipv6/conf')) {
    if (name === 'all') continue;
    try {
      if (readSysctl('net', 'ipv6', 'conf', name, 'accept_ra') === '1') {
        ensureSysctl('2', 'net', 'ipv6', 'conf', name, 'accept_ra');
      }
    } catch (error) {
      // The interface went away while we looked.
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

/** Lets the kernel forward packets of these families. */
export function enableForwarding(families: ReadonlySet<Family>): void {
  if (families.has(4)) ensureSysctl('1', 'net', 'ipv4', 'ip_forward');
  if (families.has(6) && readSysctl('net', 'ipv6', 'conf', 'all', 'forwarding') !== '1') {
    keepListeningToRouters();
    ensureSysctl('1', 'net', 'ipv6', 'conf', 'all', 'forwarding');
  }
}
