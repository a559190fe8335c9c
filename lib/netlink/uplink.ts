/** The way out: the interface that the host reaches the world through. */
import { parseAddress } from '../base/ip.ts';
import type { Family } from '../base/ip.ts';
import { findLink } from './link.ts';
import type { Link } from './link-message.ts';
import { lookupRoute } from './route.ts';
import type { NetlinkSocket } from './socket.ts';

/** Somewhere far away in each family; a route is looked up, nothing is ever sent. */
const FAR_AWAY: Readonly<Record<Family, string>> = { 4: '1.1.1.1', 6: '2606:4700:4700::1111' };

/** By the routing table of the socket's namespace, of the first family that has a way out; undefined when none has. */
export function findUplink(host: NetlinkSocket, families: readonly Family[] = [4, 6]): Link | undefined {
  for (const family of families) {
    const index = lookupRoute(host, parseAddress(FAR_AWAY[family]))?.interface;
    const link = index === undefined ? undefined : findLink(host, index);
    if (link) return link;
  }
  return undefined;
}
