/** The host as a router. */
import { readdirSync } from 'node:fs';
import { isErrno } from '../../../lib/base/errors.ts';
import type { Family } from '../../../lib/base/ip.ts';
import { isForwarding } from '../../../lib/netlink/devconf.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { ensureSysctl, readSysctl } from '../../../lib/system/sysctl.ts';

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

/** Lets the kernel forward packets of these families, in the namespace of the socket, which is the caller's. */
export function enableForwarding(route: NetlinkSocket, families: ReadonlySet<Family>): void {
  if (families.has(4) && !isForwarding(route, 4)) ensureSysctl('1', 'net', 'ipv4', 'ip_forward');
  if (families.has(6) && !isForwarding(route, 6)) {
    keepListeningToRouters();
    ensureSysctl('1', 'net', 'ipv6', 'conf', 'all', 'forwarding');
  }
}
