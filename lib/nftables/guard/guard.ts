/**
 * The guard of macvlan networks: the table "netdev netmoor" on their masters, in the host's network namespace. Who is
 * root in a container cannot reach it. SECURITY.md says what holds against whom.
 *
 * Adding is optimistic, as in ../table.ts: one transaction with the attachment's elements alone, and only where the
 * table is missing, or not as it was made, is it built with everything that should be in it.
 */
import type { SystemError } from '../../base/errors.ts';
import { parseMac } from '../../base/mac.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/socket.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { failedWith, tryCommit } from '../batch.ts';
import { outcome, ownConflicts } from '../conflicts.ts';
import type { Lives } from '../conflicts.ts';
import { elementMessages } from '../element-messages.ts';
import type { SetElement } from '../elements.ts';
import { GUARD_SET_NAMES } from '../layout.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { ATTEMPTS, commitPlanned } from '../planned.ts';
import { elementId, elementsOf, presentElements } from '../present.ts';
import { currentGeneration } from '../query.ts';
import { dropTables, tableStates } from '../tables.ts';
import { guardedMasters, masterRemoval, mending } from './masters.ts';
import { allOf, element, hostComment, isShared, masterOf, portElements } from './port-elements.ts';
import type { PortElements } from './port-elements.ts';
import type { Allowed, Master, MooredPort } from './port.ts';
import { fitTable, rebuildGuard } from './rebuild.ts';
import type { Wanted } from './rebuild.ts';

export type { Allowed, Master, MooredPort } from './port.ts';

const ADDITION = 'guard a port';
const REMOVAL = 'remove nftables elements';

/** What several may have is there already, perhaps. */
function additions({ own, known, shared }: PortElements): NftMessage[] {
  return [
    ...elementMessages('NEWSETELEM', [...shared, ...known], NLM_F_CREATE),
    ...elementMessages('NEWSETELEM', own, NLM_F_CREATE | NLM_F_EXCL),
  ];
}

/** Of addresses that two may believe to have, those whose owner is dead: the next of that MAC address has them. */
function abandoned(nf: NetlinkSocket, known: readonly SetElement[], lives: Lives): SetElement[] {
  const present = presentElements(nf, known);
  return known.flatMap((element) => {
    const there = present.get(elementId(element));
    return there === undefined || there.comment === element.comment || lives(there.comment) ? [] : [there];
  });
}

function attempt(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): SystemError | undefined {
  const rules = fitTable(nf);
  if (rules === undefined) return outcome(rebuildGuard(nf, wanted, everyOther, lives), 'EEXIST');
  const mend = mending(nf, wanted.master, rules);
  let failures = tryCommit(nf, [...mend, ...additions(wanted)], ADDITION);
  const nowhere = failures.find(
    ({ index, error }) => mend[index]?.name === 'NEWCHAIN' && error.code === 'ENOENT',
  );
  if (nowhere) throw nowhere.error;
  const taken = failedWith(
    failures.filter(({ index }) => index >= mend.length),
    'EEXIST',
  );
  if (taken && !failedWith(failures, 'ENOENT')) {
    const generation = currentGeneration(nf, ADDITION);
    const { stale, missing } = ownConflicts(nf, wanted.own, taken, lives);
    const messages = [
      ...mending(nf, wanted.master, rules),
      ...elementMessages('DELSETELEM', [...stale, ...abandoned(nf, wanted.known, lives)]),
      ...additions({ ...wanted, own: missing }),
    ];
    failures = tryCommit(nf, messages, ADDITION, generation);
  }
  // ENOENT: somebody has taken the table apart since we looked.
  return outcome(failures, 'EEXIST', 'ENOENT');
}

function ensure(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): void {
  for (let tries = 1; ; tries++) {
    const reason = attempt(nf, wanted, everyOther, lives);
    if (reason === undefined) return;
    if (tries === ATTEMPTS) throw reason;
  }
}

/**
 * Guards an attachment, in one transaction; repeating it changes nothing. `everyOther` is called only when the table
 * has to be built, and says what other attachments need. Throws NetmoorError('address-taken') for a MAC address, or a
 * leased IP address, whose holder `lives`, and SystemError: ENOENT when there is no such master, EOPNOTSUPP from
 * kernels without the egress hook (before 5.16).
 */
export function guardPort(
  nf: NetlinkSocket,
  port: MooredPort,
  everyOther: () => readonly MooredPort[],
  lives: Lives = () => false,
): void {
  ensure(nf, { master: port.master, ...portElements(port) }, everyOther, lives);
}

function without(elements: readonly SetElement[], others: readonly SetElement[]): SetElement[] {
  const ids = new Set(others.map(elementId));
  return elements.filter((each) => !ids.has(elementId(each)));
}

/** Of these, what is there with the comment they should have. */
function presentOf(nf: NetlinkSocket, elements: readonly SetElement[]): SetElement[] {
  const comments = new Map(elements.map((each) => [elementId(each), each.comment]));
  const present = [...presentElements(nf, elements).values()];
  return present.filter((each) => comments.get(elementId(each)) === each.comment);
}

/** Another layout's sets are not ours to read. */
function readable(nf: NetlinkSocket): boolean {
  return tableStates(nf, [NFPROTO_NETDEV]).get(NFPROTO_NETDEV)?.current === true;
}

/**
 * From `before` to `after`, which differ in what the attachment may do, not in whose it is or where: when the LAN has
 * given it other addresses. Errors as of guardPort().
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
  commitPlanned(nf, REMOVAL, () => (readable(nf) ? elementMessages('DELSETELEM', presentOf(nf, gone)) : []));
  guardPort(nf, after, everyOther, lives);
}

/** Of what is removed, whether it was the last: on its master, of all masters. */
export interface LastPort {
  readonly onMaster: boolean;
  readonly ofAll: boolean;
}

/**
 * With nobody else behind a master: what all on it shared, and its base chains. The same of masters that were taken
 * away while somebody was behind them, whose indexes nobody names any more.
 */
function masterLeft(nf: NetlinkSocket, master: Master, removed: readonly SetElement[]): NftMessage[] {
  const used = new Set(without(elementsOf(nf, 'ports'), removed).map(masterOf));
  // By index: a master may have had another name when they were made.
  const shared = GUARD_SET_NAMES.flatMap((set) => elementsOf(nf, set)).filter(
    (each) => !used.has(masterOf(each)) && isShared(each.comment),
  );
  const indexes = [...new Set([master.index, ...guardedMasters(nf).keys()])].filter(
    (index) => !used.has(index),
  );
  return [
    ...elementMessages('DELSETELEM', shared),
    ...indexes.flatMap((index) => masterRemoval(nf, { index, name: master.name })),
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
    const master = last.onMaster || last.ofAll ? masterLeft(nf, port.master, removed) : [];
    return [...elementMessages('DELSETELEM', removed), ...master];
  });
  if (last.ofAll) dropTables(nf, [NFPROTO_NETDEV]);
}

/** Removes the base chains of a master, and what all on it shared, when no attachment is behind it. */
export function leaveMaster(nf: NetlinkSocket, master: Master): void {
  commitPlanned(nf, REMOVAL, () => (readable(nf) ? masterLeft(nf, master, []) : []));
}

/** All elements in the guard's table, if it is of this version's layout. */
export function guardElements(nf: NetlinkSocket): SetElement[] {
  return readable(nf) ? GUARD_SET_NAMES.flatMap((set) => elementsOf(nf, set)) : [];
}

/**
 * Removes all elements that bear one of these names (ownerComment()), for owners of whom nothing else is known; how
 * many. Base chains stay.
 */
export function removePortsOf(nf: NetlinkSocket, owners: ReadonlySet<string>): number {
  let count = 0;
  commitPlanned(nf, REMOVAL, () => {
    const elements = guardElements(nf).filter(({ comment }) => owners.has(comment));
    count = elements.length;
    return elementMessages('DELSETELEM', elements);
  });
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
