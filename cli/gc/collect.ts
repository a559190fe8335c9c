/**
 * Collecting what is left behind: attachments that are dead, then whatever in the kernel no record accounts for.
 *
 * It may run while containers come and go. A record whose worker lives is left alone; and the orphans are looked for,
 * and removed, inside a write transaction of every store there is, because an ADD puts its intent on record before it
 * touches the kernel, and a DEL takes its record away together with what it shares: seen from inside, nothing is half
 * there.
 */
import { errorText } from '../../lib/base/errors.ts';
import type { World } from '../../lib/cni/world.ts';
import { clearAway, isHeld } from '../../lib/mooring/collect.ts';
import type { Uncollected } from '../../lib/mooring/collect.ts';
import { causeOfDeath } from '../../lib/mooring/death.ts';
import { hostOf } from '../../lib/mooring/host.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Kind } from '../../lib/mooring/kind.ts';
import type { Books, Sweeping } from '../../lib/mooring/upkeep.ts';
import { hasMore, inOrder } from '../../lib/mooring/stores.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { formatKey, sameKey } from '../../ipam/record.ts';
import type { AttachmentRecord, NetworkRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { scopeOf } from '../../plugins/netmoor-ipam/context.ts';
import { quietly } from '../surroundings.ts';
import type { Failure, Garbage } from './garbage.ts';
import { BATCH, findOrphans, removeOrphans } from './orphans.ts';

export interface Found {
  readonly garbage: Garbage[];
  readonly failures: Failure[];
}

export interface Work {
  readonly world: World;
  readonly sockets: Sockets;
  readonly kinds: ReadonlyMap<string, Kind>;
  readonly sweepings: ReadonlyMap<string, Sweeping>;
  readonly note: (line: string) => void;
  /** What is to become of containers that live, and are on no record. */
  readonly living: Books['living'];
}

interface Dead {
  readonly record: AttachmentRecord;
  readonly garbage: Garbage;
}

type Judging = Pick<Work, 'world' | 'sockets' | 'kinds'>;

function deathOf({ world, sockets, kinds }: Judging, record: AttachmentRecord): string | undefined {
  return causeOfDeath({ route: sockets.route, world }, record, kinds.get(record.plugin));
}

function findDead(work: Judging, { store }: NamedStore): Dead[] {
  return store
    .read((tx) => tx.attachments())
    .flatMap((record) => {
      const reason = deathOf(work, record);
      return reason === undefined
        ? []
        : [{ record, garbage: { kind: 'attachment', what: formatKey(record), reason } }];
    });
}

/** Why attachments on record are dead, by key (formatKey); nothing is changed by looking. */
export function reasonsOfDeath(work: Judging, stores: readonly NamedStore[]): ReadonlyMap<string, string> {
  const dead = stores.flatMap((named) => findDead(work, named));
  return new Map(dead.map(({ record, garbage }) => [formatKey(record), garbage.reason]));
}

/** Of plugins that this version does not know nothing could be taken down; another boot's go by themselves. */
function removeDead(
  { world, sockets, kinds, note }: Work,
  named: NamedStore,
  record: AttachmentRecord,
): Uncollected[] {
  const kind = kinds.get(record.plugin);
  if (kind !== undefined) return clearAway(kind, hostOf(sockets, named, world, quietly(note)), record);
  return named.store.write((tx) => {
    const current = tx.attachment(record);
    const what = `it is an attachment of ${record.plugin}`;
    return current?.bootId === world.bootId ? [{ what, error: new Error(what) }] : [];
  });
}

/**
 * Detaches the dead of one store, going on after failures, unless it is held; each is looked at once more right before.
 */
function collectDead(work: Work, named: NamedStore): Found & { readonly held: boolean } {
  const found: Found = { garbage: [], failures: [] };
  for (const { record, garbage } of findDead(work, named)) {
    const current = named.store.read((tx) => tx.attachment(record));
    if (current === undefined || deathOf(work, current) === undefined) continue;
    let problems: Uncollected[];
    try {
      problems = removeDead(work, named, current);
    } catch (error) {
      problems = [{ what: errorText(error), error }];
    }
    if (problems.length === 0) found.garbage.push(garbage);
    else found.failures.push({ what: garbage.what, problem: problems.map(({ what }) => what).join('; ') });
    if (isHeld(problems)) return { ...found, held: true };
  }
  return { ...found, held: false };
}

/** Networks whose config names their subnets are remembered while somebody is attached, or their bridge stays. */
function unusedNetworks({ world, sockets, kinds }: Work, tx: StoreReader): NetworkRecord[] {
  return tx.networks().filter((network) => {
    const { name, segment, automatic, plugin } = network;
    const attached = tx.attachments({ network: name }).some(({ bootId }) => bootId === world.bootId);
    if (automatic || attached) return false;
    if (segment === undefined || findLink(sockets.route, segment) === undefined) return true;
    return kinds.get(plugin)?.isIdle?.(sockets, network) === true;
  });
}

/** With what the store remembers of its addresses, as far as nobody else's are among them. */
function forgetNetwork(
  { kinds }: Work,
  tx: StoreTransaction,
  { name, plugin, segment }: NetworkRecord,
): void {
  tx.removeNetwork(name);
  const kind = kinds.get(plugin);
  if (kind === undefined) tx.removeScope(scopeOf(name));
  if (kind === undefined || segment === undefined || tx.networks().some((other) => other.segment === segment))
    return;
  if (tx.attachments({ segment }).length === 0) tx.removeScope(kind.scopeOf(segment));
}

function networkGarbage({ name }: NetworkRecord): Garbage {
  return { kind: 'network', what: `the record of network ${name}`, reason: 'nobody is attached to it' };
}

/** A transaction of each store, one inside the other. */
function withAll<T, Tx>(
  begin: readonly ((fn: (tx: Tx) => T) => T)[],
  fn: (all: readonly Tx[]) => T,
  all: readonly Tx[] = [],
): T {
  const [first, ...rest] = begin;
  return first === undefined ? fn(all) : first((tx) => withAll(rest, fn, [...all, tx]));
}

function orphansOf(
  { world, sockets, sweepings, living }: Work,
  all: readonly StoreReader[],
): ReturnType<typeof findOrphans> {
  const recorded = all.flatMap((tx) => tx.attachments());
  const spared =
    living === 'spare' ? [...sweepings.values()].flatMap((each) => each.recover(sockets, world)) : [];
  const unrecorded = spared.filter((record) => !recorded.some((known) => sameKey(known, record)));
  const records = [...recorded, ...unrecorded];
  const networks = all.flatMap((tx) => tx.networks());
  return findOrphans(sockets, { records, networks, living }, sweepings);
}

/** What could be swept now; nothing is changed or created by looking. */
function lookForOrphans(work: Work, stores: readonly NamedStore[]): Garbage[] {
  const begin = stores.map(
    ({ store }) =>
      (fn: (tx: StoreReader) => Garbage[]) =>
        store.read(fn),
  );
  return withAll(begin, (all) => [
    ...all.flatMap((tx) => unusedNetworks(work, tx)).map(networkGarbage),
    ...orphansOf(work, all).map(({ remove: _how, ...garbage }) => garbage),
  ]);
}

/** One round; says whether there may be more. */
function sweepOnce(work: Work, stores: readonly NamedStore[], found: Found): boolean {
  const begin = inOrder(stores).map(
    ({ store }) =>
      (fn: (tx: StoreTransaction) => boolean) =>
        store.write(fn),
  );
  return withAll(begin, (all) => {
    // What has begun in a store that came to be meanwhile is not accounted for by these.
    if (hasMore(stores, work.world)) return false;
    for (const tx of all) {
      for (const network of unusedNetworks(work, tx)) {
        forgetNetwork(work, tx, network);
        found.garbage.push(networkGarbage(network));
      }
    }
    const orphans = orphansOf(work, all);
    const { removed, failures } = removeOrphans(orphans);
    found.garbage.push(...removed);
    found.failures.push(...failures);
    return failures.length === 0 && orphans.filter(({ kind }) => kind === 'interface').length === BATCH;
  });
}

/**
 * What `collect` would remove from these stores and, by the records of all stores, from the kernel; without all of them
 * nobody can say what is accounted for there.
 */
export function look(
  work: Work,
  stores: readonly NamedStore[],
  all: readonly NamedStore[] | undefined,
): Found {
  const dead = stores.flatMap((named) => findDead(work, named)).map(({ garbage }) => garbage);
  return { garbage: [...dead, ...(all === undefined ? [] : lookForOrphans(work, all))], failures: [] };
}

/** Removes it. A host with nothing to sweep is left without a store if it has none. */
export function collect(
  work: Work,
  stores: readonly NamedStore[],
  all: readonly NamedStore[] | undefined,
): Found {
  const found: Found = { garbage: [], failures: [] };
  for (const named of stores) {
    const { garbage, failures, held } = collectDead(work, named);
    found.garbage.push(...garbage);
    found.failures.push(...failures);
    // What follows would wait for it as well.
    if (held) return found;
  }
  if (all === undefined || lookForOrphans(work, all).length === 0) return found;
  while (sweepOnce(work, all, found));
  return found;
}
