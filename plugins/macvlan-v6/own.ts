/**
 * Finding the macvlan of an attachment, which no interface of the host stands for: by the number under which the host
 * knows the container's namespace (nsid), without entering it and whether or not a path leads there.
 */
import { parseLabel } from '../../lib/mooring/label.ts';
import { findLink, glimpseLinks } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { assignNsid, listNsids } from '../../lib/netlink/nsid.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { closeNetns, openNetns } from '../../lib/system/netns.ts';
import { sameKey } from '../../ipam/record.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import type { MacvlanRecord } from './detail.ts';
import { ifindexesFor } from './names.ts';

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
    const link = glimpseLinks(route, nsid).find((each) => each.kind === 'macvlan' && isMeant(each, nsid));
    if (link !== undefined) return { nsid, link };
  }
  return undefined;
}

/**
 * Whether a macvlan stands on a master of the socket's own namespace, of that index: anybody can make one of any MAC
 * address on an interface of his own, but none on one of the host's.
 */
export function standsOnHost(route: NetlinkSocket): (link: Link, masterIndex?: number) => boolean {
  const here = openNetns('/proc/thread-self/ns/net');
  try {
    const nsid = assignNsid(route, here.fd);
    return ({ kind, netnsid, peer }, masterIndex = peer) =>
      kind === 'macvlan' && netnsid === nsid && peer === masterIndex;
  } finally {
    closeNetns(here);
  }
}

/**
 * The interface of an attachment; undefined when the kernel has none. By its index, which is like no other's and stays
 * whatever root in the container does to MAC address, name and label, where it was made; elsewhere, where it was moved
 * or nobody has noted it, one of these has to be there, too.
 */
export function findOwn(route: NetlinkSocket, record: MacvlanRecord): Own | undefined {
  const { linkInContainer, masterIndex, nsid, ifindex } = record.detail;
  const indexes = ifindex === undefined ? ifindexesFor(record.incarnation) : [ifindex];
  const stands = linkInContainer ? ({ kind }: Link) => kind === 'macvlan' : standsOnHost(route);
  const isOwn = (link: Link, where: number): boolean =>
    indexes.includes(link.index) &&
    stands(link, masterIndex) &&
    (where === nsid || link.mac === record.mac || hasLabel(link, record));
  const there = nsid === undefined || ifindex === undefined ? undefined : findLink(route, ifindex, { nsid });
  if (there !== undefined && nsid !== undefined && isOwn(there, nsid)) return { nsid, link: there };
  const moved = search(route, isOwn);
  // The master itself may be in another namespace by now.
  return moved ?? (there?.kind === 'macvlan' && nsid !== undefined ? { nsid, link: there } : undefined);
}

/** The same by its label, from the key alone. */
export function findLabelled(route: NetlinkSocket, key: AttachmentKey): Own | undefined {
  return search(route, (link) => hasLabel(link, key));
}

/** Whether another macvlan than this one, on the same master, in a namespace that lives, has its MAC address. */
export function hasRival(route: NetlinkSocket, mac: string, { nsid, link: own }: Own): boolean {
  const isOwn = (link: Link, n: number): boolean => n === nsid && link.index === own.index;
  return (
    search(route, (link, n) => link.mac === mac && link.peer === own.peer && !isOwn(link, n)) !== undefined
  );
}
