/**
 * Taking away what an attachment has in the kernel: its own, what it shared and was the last to use, what its name
 * alone tells.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Host, Sockets } from '../../lib/mooring/host.ts';
import { DHCP_IPAM } from '../../lib/mooring/ipam-type.ts';
import type { Last, Removal } from '../../lib/mooring/kind.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { removePortsOf, unguardPort } from '../../lib/nftables/guard/guard.ts';
import type { LastPort } from '../../lib/nftables/guard/guard.ts';
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

/**
 * Whether more may be guarded than is on record: its ADD died when routers or DHCP servers had given it addresses, or
 * the engine over bringing the host after another lease.
 */
function isUnfinished({ detail, dhcp, delegate }: MacvlanRecord): boolean {
  const leased = dhcp !== undefined || delegate?.type === DHCP_IPAM;
  return leased || (detail.slaac && detail.autoconfigured.length === 0);
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
 * leads there any more, it stays, without an interface to guard. Returns the closing of the socket, which waits until
 * the kernel has taken the rules apart.
 */
function removeInside({ world }: Host, record: MacvlanRecord): () => void {
  const nothing = (): void => {};
  const port = mooredPort(record);
  const { netns, ifname } = record;
  if (port === undefined || !port.spoofCheck || netns === undefined) return nothing;
  let opened: Netns;
  try {
    opened = world.openNetns(netns.path);
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return nothing;
    throw error;
  }
  try {
    if (opened.id !== netns.inode) return nothing;
    const netfilter = inNetns(opened, () => NetlinkSocket.open('netfilter'));
    try {
      unguardInside(netfilter, ifname);
      return () => netfilter.close();
    } catch (error) {
      netfilter.close();
      throw error;
    }
  } finally {
    world.closeNetns(opened);
  }
}

function removeInterface({ route }: Sockets, record: MacvlanRecord): void {
  const own = findOwn(route, record);
  if (own !== undefined) removeLink(route, own.link.index, { nsid: own.nsid });
}

/**
 * Guards before the interface: the kernel takes rules apart in the background, and an interface waits as long for its
 * own end, so the two run side by side.
 */
export function ownRemovals(host: Host, record: MacvlanRecord, last: LastPort = NOT_LAST): Removal[] {
  let close = (): void => {};
  return [
    {
      what: 'remove its guard',
      step: 'detach: rules removed',
      remove() {
        close = removeInside(host, record);
        removeGuard(host, record, last);
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
    {
      what: 'delete its interface',
      step: 'detach: interfaces deleted',
      remove() {
        try {
          removeInterface(host, record);
        } finally {
          close();
        }
      },
    },
  ];
}

/** See Kind.leaveShared. */
export function leaveShared(
  host: Host,
  record: MacvlanRecord,
  { onSegment, ofAll }: Last,
  whole: boolean,
): void {
  const last = { onMaster: onSegment, ofAll };
  if (whole) for (const { remove } of ownRemovals(host, record, last)) remove();
  else if (onSegment || ofAll) removeGuard(host, record, last);
  if (onSegment) removeAccess(host, record);
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
