/**
 * Taking away what an attachment has in the kernel: its own, what it shared and was the last to use, what its name
 * alone tells.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Host, Sockets } from '../../lib/mooring/host.ts';
import type { Last, Removal } from '../../lib/mooring/kind.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { removePortsOf, unguardPort } from '../../lib/nftables/guard/guard.ts';
import { unguardInside } from '../../lib/nftables/guard/inside.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { Netns } from '../../lib/system/netns.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { removeAccess, removeRoutes } from './access.ts';
import type { MacvlanRecord } from './detail.ts';
import { mooredPort } from './moored.ts';
import { findLabelled, findOwn } from './own.ts';

/** An attachment's own guard, whoever else there is. */
const NOT_LAST = { onMaster: false, ofAll: false };

/** Its ADD died: what routers gave it by then is guarded, and on no record. */
function isUnfinished({ detail }: MacvlanRecord): boolean {
  return detail.slaac && detail.autoconfigured.length === 0;
}

function removeGuard(
  host: Sockets,
  record: MacvlanRecord,
  last: { onMaster: boolean; ofAll: boolean },
): void {
  const port = mooredPort(record);
  if (port === undefined) return;
  if (isUnfinished(record)) removePortsOf(host.netfilter, new Set([ownerComment(record)]));
  unguardPort(host.netfilter, port, last);
}

/**
 * What is left of it in a container that lives on would be in the way of the next interface of that name. Where no path
 * leads there any more, it stays, without an interface to guard.
 */
function removeInside({ world }: Host, record: MacvlanRecord): void {
  const port = mooredPort(record);
  const { netns } = record;
  if (port === undefined || !port.spoofCheck || netns === undefined) return;
  let opened: Netns;
  try {
    opened = world.openNetns(netns.path);
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return;
    throw error;
  }
  try {
    if (opened.id !== netns.inode) return;
    const netfilter = inNetns(opened, () => NetlinkSocket.open('netfilter'));
    try {
      unguardInside(netfilter, record.ifname);
    } finally {
      netfilter.close();
    }
  } finally {
    world.closeNetns(opened);
  }
}

function removeInterface({ route }: Sockets, record: MacvlanRecord): void {
  const own = findOwn(route, record);
  if (own !== undefined) removeLink(route, own.link.index, { nsid: own.nsid });
}

/** The interface first: an address is let go of when nobody uses it any more. */
export function ownRemovals(host: Host, record: MacvlanRecord): Removal[] {
  return [
    {
      what: 'delete its interface',
      step: 'detach: interfaces deleted',
      remove: () => removeInterface(host, record),
    },
    {
      what: 'remove its guard',
      step: 'detach: rules removed',
      remove() {
        removeInside(host, record);
        removeGuard(host, record, NOT_LAST);
      },
    },
    ...(record.detail.hostAccess
      ? [
          {
            what: "remove the host's routes",
            step: 'detach: routes removed',
            remove: () => removeRoutes(host, record),
          },
        ]
      : []),
  ];
}

/** See Kind.leaveShared. */
export function leaveShared(
  host: Host,
  record: MacvlanRecord,
  { ofNetwork, onSegment, ofAll }: Last,
  whole: boolean,
): void {
  if (whole) for (const { remove } of ownRemovals(host, record)) remove();
  if (onSegment) removeAccess(host, record);
  if (ofNetwork || onSegment || ofAll) removeGuard(host, record, { onMaster: onSegment, ofAll });
}

/** Whether an interface is there that says of itself to be of the key. */
export function isLeft({ route }: Sockets, key: AttachmentKey): boolean {
  return findLabelled(route, key) !== undefined;
}

/** All that the key tells. */
export function removeByKey(host: Sockets, key: AttachmentKey): void {
  const own = findLabelled(host.route, key);
  if (own !== undefined) removeLink(host.route, own.link.index, { nsid: own.nsid });
  removePortsOf(host.netfilter, new Set([ownerComment(key)]));
}
