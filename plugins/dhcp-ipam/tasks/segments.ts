/** The links of the host by which containers reach their servers, and whether anything goes through them now. */
import { listLinks } from '../../../lib/netlink/link.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { carries } from '../carries.ts';

export interface Member {
  /** ifindex */
  readonly index: number;
  readonly carries: boolean;
}

/** Of each interface that is there, itself and its ports, when it is a bridge. */
export type SegmentMembers = Readonly<Record<string, readonly Member[]>>;

function memberOf({ index, flags }: Link): Member {
  return { index, carries: carries(flags) };
}

/** Throws SystemError. */
export function segmentMembers(names: readonly string[]): SegmentMembers {
  const route = NetlinkSocket.open('route');
  try {
    const links = listLinks(route);
    const found = links.filter(({ name }) => names.includes(name));
    return Object.fromEntries(
      found.map((segment) => [
        segment.name,
        [segment, ...links.filter(({ master }) => master === segment.index)].map(memberOf),
      ]),
    );
  } finally {
    route.close();
  }
}
