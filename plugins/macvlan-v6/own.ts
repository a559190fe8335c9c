/**
 * Finding the macvlan of an attachment, which no interface of the host stands for: by the number under which the host
 * knows the container's namespace (nsid), without entering it and whether or not a path leads there.
 */
import { parseLabel } from '../../lib/mooring/label.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listNsids } from '../../lib/netlink/nsid.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { sameKey } from '../../ipam/record.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import type { MacvlanRecord } from './detail.ts';

/** A macvlan in the namespace of that number. */
export interface Own {
  readonly nsid: number;
  readonly link: Link;
}

function hasLabel(link: Link, key: AttachmentKey): boolean {
  const label = parseLabel(link.alias);
  return label !== undefined && sameKey(label.key, key);
}

function search(route: NetlinkSocket, isMeant: (link: Link, nsid: number) => boolean): Own | undefined {
  for (const nsid of listNsids(route)) {
    const link = listLinks(route, { nsid }).find((each) => each.kind === 'macvlan' && isMeant(each, nsid));
    if (link !== undefined) return { nsid, link };
  }
  return undefined;
}

/**
 * The interface of an attachment; undefined when the kernel has none. Who is root in the container may change its MAC
 * address, or its label, and is found all the same; not who changes both.
 */
export function findOwn(route: NetlinkSocket, record: MacvlanRecord): Own | undefined {
  const { nsid, ifindex } = record.detail;
  const hasMac = ({ mac }: Link): boolean => mac !== undefined && mac === record.mac;
  if (nsid !== undefined && ifindex !== undefined) {
    const link = findLink(route, ifindex, { nsid });
    // Neither number is given once for all.
    if (link?.kind === 'macvlan' && (hasMac(link) || hasLabel(link, record))) return { nsid, link };
  }
  return search(route, hasMac);
}

/** The same by its label, from the key alone. */
export function findLabelled(route: NetlinkSocket, key: AttachmentKey): Own | undefined {
  return search(route, (link) => hasLabel(link, key));
}

/** Whether another macvlan than this one, in a namespace that lives, has its MAC address. */
export function hasRival(route: NetlinkSocket, mac: string, { nsid, link: own }: Own): boolean {
  return (
    search(route, (link, n) => link.mac === mac && (n !== nsid || link.index !== own.index)) !== undefined
  );
}
