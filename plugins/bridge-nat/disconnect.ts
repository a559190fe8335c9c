/**
 * Taking away what an attachment has in the kernel: its own, what it shared and was the last to use, what its name
 * alone tells.
 */
import { flushUdp } from '../../lib/netlink/conntrack.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLinks } from '../../lib/netlink/link-removal.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Last, Removal } from '../../lib/mooring/kind.ts';
import { withdrawForwarding } from '../../lib/nftables/forward.ts';
import { ownerComment, removeAttachment, removeElementsOf } from '../../lib/nftables/table.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { releaseBridge } from './bridge/bridge.ts';
import { letGo } from './dhcp-server/holding.ts';
import { hasWaysBeside } from './egress/stand.ts';
import { giveUpEgress, keepsWayOut } from './egress/taking.ts';
import { rulesOf } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';
import { unproxyAttachment } from './bridge/ndp-proxy.ts';
import { hostIfnameFor, ifbNameFor } from './names.ts';
import { leavePublic } from './nat/answering.ts';

/** The links of these names, each of the kind that we give them; a stranger's of another kind is left alone. */
function linksNamed({ route }: Sockets, names: readonly (readonly [string, string])[]): Link[] {
  return names.flatMap(([name, kind]) => {
    const link = findLink(route, name);
    return link && link.kind === kind ? [link] : [];
  });
}

/** The veth by its index, whatever a person calls it by now; by its name where the index was never recorded. */
function ownVeth(host: Sockets, { hostIfindex, hostIfname, ...key }: BridgeNatRecord): Link[] {
  const byIndex = hostIfindex === undefined ? undefined : findLink(host.route, hostIfindex);
  if (byIndex?.kind === 'veth') return [byIndex];
  return linksNamed(host, [[hostIfname ?? hostIfnameFor(key), 'veth']]);
}

/** The attachment's interfaces on the host. An IFB it has only when its outgoing traffic is limited. */
function ownLinks(host: Sockets, record: BridgeNatRecord): Link[] {
  const ifb = record.detail.bandwidth ? linksNamed(host, [[ifbNameFor(record), 'ifb']]) : [];
  return [...ownVeth(host, record), ...ifb];
}

const EVERY_PORT = { hostPort: 1, count: 65535 };

/** An attachment's own rules, whoever else there is. */
const NOT_LAST = { ofNetwork: false, onBridge: false, ofAll: false };

/**
 * Rules before interfaces: the kernel takes deleted elements apart in the background (nf_tables_trans_destroy_work),
 * closing a netfilter socket waits for that, and deleting an interface waits as long for its own: so the two run side
 * by side.
 */
export function ownRemovals(host: Sockets, record: BridgeNatRecord): Removal[] {
  const removals: Removal[] = [
    {
      what: 'remove its rules',
      step: 'detach: rules removed',
      remove: () => {
        leaveOwnRules(host, record);
        leavePublic(host, record);
      },
    },
    ...(record.detail.ndpProxy
      ? [
          {
            what: 'no longer answer for its addresses',
            step: 'detach: proxies removed',
            remove: () => unproxyAttachment(host, record),
          },
        ]
      : []),
    {
      what: 'delete its interfaces',
      step: 'detach: interfaces deleted',
      remove: () => letGo(host, record),
      links: () => ownLinks(host, record),
    },
  ];
  // Whoever may leave by one way alone is never there without his rules.
  return record.detail.egress ? removals.reverse() : removals;
}

/** Its own rules alone, whoever else there is. */
export function leaveOwnRules(host: Sockets, record: BridgeNatRecord): void {
  removeAttachment(host.netfilter, rulesOf(record), NOT_LAST);
}

/**
 * Its own rules, and what of the others nobody needs: who is plugged in by hand where traffic leaves by one way alone
 * keeps what guards that. Where the bridge is to go, it goes first.
 */
export function leaveRules(
  host: Sockets,
  record: BridgeNatRecord,
  { ofNetwork, onSegment, ofAll }: Last,
): void {
  const onBridge = onSegment && !keepsWayOut(host, record);
  const all = ofAll && !(onBridge ? hasWaysBeside(host.route, record.segment) : onSegment);
  removeAttachment(host.netfilter, rulesOf(record), { ofNetwork, onBridge, ofAll: all });
}

/** See Kind.leaveShared. */
export function leaveShared(
  host: Sockets,
  record: BridgeNatRecord,
  { ofNetwork, onSegment, ofAll }: Last,
  whole: boolean,
): void {
  const removeRules = (): void => {
    if (whole || ofNetwork || onSegment) leaveRules(host, record, { ofNetwork, onSegment, ofAll });
    if (whole) leavePublic(host, record);
    if (whole) unproxyAttachment(host, record);
  };
  const links = whole ? ownLinks(host, record) : [];
  const { egress, keepBridge } = record.detail;
  if (!egress) removeRules();
  if (onSegment && !keepBridge) leaveBridge(host, record, links);
  else removeLinks(host.route, links);
  if (!egress) return;
  removeRules();
  if (onSegment) giveUpEgress(host, record);
}

/** What the bridge itself was given: the way through the host's own firewall, its addresses, its existence. */
export function leaveBridge(host: Sockets, record: BridgeNatRecord, along: readonly Link[] = []): void {
  if (record.segment === undefined || record.detail.keepBridge) return;
  withdrawForwarding(host.netfilter, record.segment);
  releaseBridge(host.route, record.segment, along);
}

/** Ends the UDP flows of its published ports and public addresses, which would go on to where they went so far. */
export function flushFlows(host: Sockets, record: BridgeNatRecord): void {
  const { forwards, oneToOne = [] } = rulesOf(record);
  const whole = oneToOne.map((pair) => ({ ...EVERY_PORT, hostIp: pair.public, container: pair.container }));
  const udp = [...forwards.filter((forward) => forward.protocol === 'udp'), ...whole];
  if (udp.length > 0) flushUdp(host.netfilter, udp);
}

function namedLinks(host: Sockets, key: AttachmentKey): Link[] {
  return linksNamed(host, [
    [hostIfnameFor(key), 'veth'],
    [ifbNameFor(key), 'ifb'],
  ]);
}

/** Whether an interface is there under a name that the key gives. */
export function isLeft(host: Sockets, key: AttachmentKey): boolean {
  return namedLinks(host, key).length > 0;
}

/** All that the key tells. Every set is read for it. */
export function removeByKey(host: Sockets, key: AttachmentKey): void {
  removeElementsOf(host.netfilter, new Set([ownerComment(key)]));
  removeLinks(host.route, namedLinks(host, key));
}
