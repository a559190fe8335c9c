/**
 * Holding an attachment to its bandwidth limits, as the reference bandwidth plugin does and with the same parameters:
 * traffic waits in a token bucket for its turn. What goes to the container leaves the host by its veth, where a
 * discipline sees it. What comes from the container enters the host, where nothing queues; policing it there would drop
 * what shaping delays, and TCP answers a policer with far less than the rate. So it is redirected to an IFB, and waits
 * there. All of it is on the host's side, where the container has no say.
 */
import { NetmoorError, errorText, isErrno } from '../../../lib/base/errors.ts';
import type { UndoStack } from '../../../lib/base/undo.ts';
import { createIfb } from '../../../lib/netlink/ifb.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { IFF_UP } from '../../../lib/netlink/link-message.ts';
import { removeLink } from '../../../lib/netlink/link-removal.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { ingressAddition, rootQdisc, tbfReplacement } from '../../../lib/netlink/qdisc.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import { listRedirects, redirectAddition, redirectRemoval } from '../../../lib/netlink/redirect.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { isSameBurst, tbfOf } from '../../../lib/netlink/tbf.ts';
import type { Tbf } from '../../../lib/netlink/tbf.ts';
import type { Limit } from './bandwidth.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { ifbNameFor } from '../names.ts';

/** Beyond a burst, no packet waits longer than this. */
const LATENCY_MS = 25;
/** An Ethernet header with a VLAN tag. */
const HEADER_BYTES = 18;

const ADVICE =
  'bandwidth limits need these modules of the kernel: ifb, sch_tbf, sch_ingress, cls_u32, act_mirred';

/** A bucket that is smaller than a packet would let none pass, ever. */
function bucketOf({ rate, burst }: Limit, mtu: number): Tbf {
  return tbfOf(Math.floor(rate / 8), Math.max(Math.floor(burst / 8), mtu + HEADER_BYTES), LATENCY_MS);
}

function limitEgress(route: NetlinkSocket, name: string, link: Link, limit: Limit, undo: UndoStack): void {
  const stale = findLink(route, name);
  if (stale?.kind === 'ifb') removeLink(route, stale.index);
  const ifb = createIfb(route, name, link.mtu);
  undo.push(`delete interface ${name}`, () => void removeLink(route, ifb.index));
  route.requestAll([
    tbfReplacement(ifb.index, bucketOf(limit, link.mtu), `limit the traffic through ${name}`),
    ingressAddition(link.index, `let filters see what comes from ${link.name}`),
    redirectAddition(link.index, ifb.index, `redirect what comes from ${link.name} to ${name}`),
  ]);
}

/**
 * Puts the limits of the record on its veth, which must be new; the veth takes along what is on it, the IFB has its own
 * undo.
 */
export function shape(route: NetlinkSocket, record: BridgeNatRecord, link: Link, undo: UndoStack): void {
  const { ingress, egress } = record.detail.bandwidth ?? {};
  try {
    if (ingress) {
      const bucket = bucketOf(ingress, link.mtu);
      route.request(tbfReplacement(link.index, bucket, `limit the traffic through ${link.name}`));
    }
    if (egress) limitEgress(route, ifbNameFor(record), link, egress, undo);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EOPNOTSUPP')) throw error;
    throw new NetmoorError('kernel', errorText(error), ADVICE, { cause: error });
  }
}

function verifyBucket(route: NetlinkSocket, link: Link, limit: Limit, mtu: number, whose: string): string[] {
  const wanted = bucketOf(limit, mtu);
  const state = rootQdisc(route, link.index)?.tbf;
  if (state === undefined) return [`${whose} is not limited: ${link.name} has no token bucket`];
  const complaints: string[] = [];
  if (state.rate !== wanted.rate)
    complaints.push(`${whose} is limited to ${state.rate * 8} bit/s, not ${wanted.rate * 8}`);
  else if (!isSameBurst(wanted, state))
    complaints.push(`the burst of ${whose} is not ${wanted.burst * 8} bits any more`);
  if (state.limit !== wanted.limit)
    complaints.push(`${state.limit} bytes of ${whose} may wait, not ${wanted.limit}`);
  return complaints;
}

function verifyEgress(route: NetlinkSocket, name: string, link: Link, limit: Limit): string[] {
  const whose = 'traffic from the container';
  const ifb = findLink(route, name);
  if (ifb?.kind !== 'ifb') return [`${whose} is not limited: interface ${name} is gone`];
  const complaints = verifyBucket(route, ifb, limit, link.mtu, whose);
  if ((ifb.flags & IFF_UP) === 0) complaints.push(`interface ${name} is down, and with it ${whose}`);
  if (!listRedirects(route, link.index).includes(ifb.index))
    complaints.push(`${whose} is not limited: ${link.name} does not redirect it to ${name}`);
  return complaints;
}

/** The IFB with all that leads through it, as far as it is not there; whatever else is at the interface stays. */
function restoreEgress(route: NetlinkSocket, name: string, link: Link, limit: Limit): void {
  const there = findLink(route, name);
  const ifb = there?.kind === 'ifb' ? there : createIfb(route, name, link.mtu);
  const redirects = listRedirects(route, link.index);
  if ((ifb.flags & IFF_UP) === 0)
    route.request(linkChange(ifb.index, { up: true }, `raise interface ${name}`));
  route.request(tbfReplacement(ifb.index, bucketOf(limit, link.mtu), `limit the traffic through ${name}`));
  if (redirects.includes(ifb.index)) return;
  // To an interface that was deleted: it would take everything, and lead nowhere.
  if (redirects.includes(0))
    route.request(redirectRemoval(link.index, `remove what redirects from ${link.name}`));
  route.requestAll([ingressAddition(link.index, `let filters see what comes from ${link.name}`)], 'EEXIST');
  route.request(redirectAddition(link.index, ifb.index, `redirect what comes from ${link.name} to ${name}`));
}

/** Puts the limits of the record back on a veth that has been in use. */
export function restoreShaping(route: NetlinkSocket, record: BridgeNatRecord, link: Link): void {
  if (verifyShaping(route, record, link).length === 0) return;
  const { ingress, egress } = record.detail.bandwidth ?? {};
  if (ingress)
    route.request(
      tbfReplacement(link.index, bucketOf(ingress, link.mtu), `limit the traffic through ${link.name}`),
    );
  if (egress) restoreEgress(route, ifbNameFor(record), link, egress);
}

/** How the limits in force on the veth differ from those of the record, in words. */
export function verifyShaping(route: NetlinkSocket, record: BridgeNatRecord, link: Link): string[] {
  const { ingress, egress } = record.detail.bandwidth ?? {};
  return [
    ...(ingress ? verifyBucket(route, link, ingress, link.mtu, 'traffic to the container') : []),
    ...(egress ? verifyEgress(route, ifbNameFor(record), link, egress) : []),
  ];
}
