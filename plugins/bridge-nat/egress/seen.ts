/** Which ways out of bridges the kernel has now, for whoever wants to see them. */
import type { Family } from '../../../lib/base/ip.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listRoutesIn } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { ownRules } from './stand.ts';

export interface SeenEgress {
  readonly bridge: string;
  /** Routing table. */
  readonly table: number;
  /** The interface that each family leaves by; absent: by none. */
  readonly ipv4?: string;
  readonly ipv6?: string;
}

function wayOut(
  route: NetlinkSocket,
  table: number,
  family: Family,
  links: readonly Link[],
): string | undefined {
  const [first] = listRoutesIn(route, family, { table })
    .filter(({ destination, unreachable }) => destination.length === 0 && !unreachable)
    .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
  return links.find(({ index }) => index === first?.interface)?.name;
}

export function seenEgresses(route: NetlinkSocket, links: readonly Link[]): SeenEgress[] {
  const tables = new Map(
    ownRules(route).flatMap(({ iif, table }) => (iif && table ? [[iif, table] as const] : [])),
  );
  return [...tables].map(([bridge, table]) => {
    const [ipv4, ipv6] = ([4, 6] as const).map((family) => wayOut(route, table, family, links));
    return {
      bridge,
      table,
      ...(ipv4 === undefined ? {} : { ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6 }),
    };
  });
}
