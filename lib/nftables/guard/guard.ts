/**
 * The guard of macvlan networks: the table "netdev netmoor" on their masters, in the host's network namespace. Who is
 * root in a container cannot reach it. SECURITY.md says what holds against whom.
 */
import { parseMac } from '../../base/mac.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { tryCommit } from '../batch.ts';
import type { Lives } from '../conflicts.ts';
import { elementMessages } from '../element-messages.ts';
import type { SetElement } from '../element.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { commitPlanned } from '../planned.ts';
import { currentGeneration } from '../query.ts';
import { dropTables } from '../tables.ts';
import { ADDITION, additions, ensure } from './addition.ts';
import { guardedMasters, masterRemoval, mending } from './masters.ts';
import { allOf, element, hostComment, isShared, masterOf, portElements } from './port-elements.ts';
import type { PortElements } from './port-elements.ts';
import type { Allowed, Master, MooredPort } from './port.ts';
import { guardElements, presentOf, readable, without } from './present.ts';
import { fitTable } from './rebuild.ts';

export type { Allowed, Master, MooredPort } from './port.ts';
export { guardElements } from './present.ts';

const REMOVAL = 'remove nftables elements';

/**
 * Guards an attachment, in one transaction; repeating it changes nothing. `everyOther` is called only when the table
 * has to be built, and says what other attachments need, of whom none may come or go until it is. Throws
 * NetmoorError('address-taken') for a MAC address, or a leased IP address, whose holder `lives`, and SystemError:
 * EOPNOTSUPP from kernels without the egress hook (before 5.16), ENOENT from kernels before 6.16 when there is no such
 * master; later ones wait for one of that name.
 */
export function guardPort(
  nf: NetlinkSocket,
  port: MooredPort,
  everyOther: () => readonly MooredPort[],
  lives: Lives = () => false,
): void {
  ensure(nf, { master: port.master, ...portElements(port) }, everyOther, lives);
}

/** What of `port` is not in `there`. */
function more(port: PortElements, there: PortElements): PortElements {
  const all = allOf(there);
  return {
    own: without(port.own, all),
    known: without(port.known, all),
    shared: without(port.shared, all),
  };
}

/**
 * From `before` to `after`, which differ in what the attachment may do, not in whose it is or where: when the LAN has
 * given it other addresses. One transaction, unless something is not as it should be: then the old is removed first.
 * Errors as of guardPort().
 */
export function changeAddresses(
  nf: NetlinkSocket,
  before: MooredPort,
  after: MooredPort,
  everyOther: () => readonly MooredPort[],
  lives: Lives = () => false,
): void {
  const [was, will] = [portElements(before), portElements(after)];
  const gone = without([...was.own, ...was.known], allOf(will));
  const deletion = () => elementMessages('DELSETELEM', presentOf(nf, gone));
  // What is only added depends on nothing that was read: others may come between.
  const generation = gone.length === 0 ? undefined : currentGeneration(nf, ADDITION);
  const rules = fitTable(nf);
  if (rules && mending(nf, after.master, rules).length === 0) {
    const messages = [...deletion(), ...additions(more(will, was))];
    if (tryCommit(nf, messages, ADDITION, generation).length === 0) return;
  }
  commitPlanned(nf, REMOVAL, () => (readable(nf) ? deletion() : []));
  guardPort(nf, after, everyOther, lives);
}

/** Of what is removed, whether it was the last: on its master, of all masters. */
export interface LastPort {
  readonly onMaster: boolean;
  readonly ofAll: boolean;
}

/**
 * What stays behind masters when nobody of `all` but the removed was there: what all shared, and their base chains.
 * Also of masters that were taken away while somebody was behind them, whose indexes nobody names any more.
 */
function mastersLeft(
  nf: NetlinkSocket,
  all: readonly SetElement[],
  removed: readonly SetElement[],
): NftMessage[] {
  const rest = without(all, removed);
  const used = new Set(rest.filter(({ set }) => set === 'ports').map(masterOf));
  // By index: a master may have had another name when they were made.
  const shared = rest.filter((each) => isShared(each.comment) && !used.has(masterOf(each)));
  const indexes = [...guardedMasters(nf).keys()].filter((index) => !used.has(index));
  return [
    ...elementMessages('DELSETELEM', shared),
    ...indexes.flatMap((index) => masterRemoval(nf, { index })),
  ];
}

/**
 * Removes the elements that bear the attachment's name; with the last on a master the master's base chains, with the
 * last of all the table. Whatever is gone already is fine, and what another owns is left alone.
 */
export function unguardPort(nf: NetlinkSocket, port: MooredPort, last: LastPort): void {
  const { own, known } = portElements(port);
  commitPlanned(nf, REMOVAL, () => {
    if (!readable(nf)) return [];
    const removed = presentOf(nf, [...own, ...known]);
    const lastHere = last.onMaster || last.ofAll;
    const left = lastHere ? mastersLeft(nf, guardElements(nf), removed) : [];
    return [...elementMessages('DELSETELEM', removed), ...left];
  });
  if (last.ofAll) dropTables(nf, [NFPROTO_NETDEV]);
}

/** Removes the base chains of masters, and what all on one shared, where no attachment is behind it. */
export function leaveMasters(nf: NetlinkSocket): void {
  commitPlanned(nf, REMOVAL, () => (readable(nf) ? mastersLeft(nf, guardElements(nf), []) : []));
}

/**
 * Removes all elements that bear one of these names (ownerComment()), for owners of whom nothing else is known, and
 * what then is of no use behind their masters; how many elements of theirs there were.
 */
export function removePortsOf(nf: NetlinkSocket, owners: ReadonlySet<string>): number {
  let count = 0;
  commitPlanned(nf, REMOVAL, () => {
    const all = guardElements(nf);
    const removed = all.filter(({ comment }) => owners.has(comment));
    count = removed.length;
    return [...elementMessages('DELSETELEM', removed), ...mastersLeft(nf, all, removed)];
  });
  if (count > 0) dropTables(nf, [NFPROTO_NETDEV]);
  return count;
}

const NOTHING_ALLOWED: Allowed = { routerAdvertisements: false, dhcpServer: false };

function hostElements(master: Master, mac: string, allow: Allowed): SetElement[] {
  const bytes = parseMac(mac);
  const sets = [
    'admitted' as const,
    ...(allow.routerAdvertisements ? (['routers'] as const) : []),
    ...(allow.dhcpServer ? (['dhcp_servers'] as const) : []),
  ];
  return sets.map((set) => element(hostComment(master), set, master, bytes));
}

/**
 * A MAC address of the host's own behind a master, or of a stranger: it may send from any address, of attachments too.
 * For what the host's sockets send it takes no admission. Stays until dismissHost(), or until the last attachment on
 * the master goes.
 */
export function admitHost(
  nf: NetlinkSocket,
  master: Master,
  mac: string,
  everyOther: () => readonly MooredPort[],
  allow: Allowed = NOTHING_ALLOWED,
): void {
  const shared = hostElements(master, mac, allow);
  ensure(nf, { master, own: [], known: [], shared }, everyOther, () => false);
}

/** Undoes admitHost(); absence is fine. */
export function dismissHost(nf: NetlinkSocket, master: Master, mac: string): void {
  const all = hostElements(master, mac, { routerAdvertisements: true, dhcpServer: true });
  commitPlanned(nf, REMOVAL, () => (readable(nf) ? elementMessages('DELSETELEM', presentOf(nf, all)) : []));
}
