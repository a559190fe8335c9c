/** What bears netmoor's marks in the kernel, and no record accounts for: how it is found, and how it is removed. */
import { errorText } from '../../lib/base/errors.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Books, Sweeping } from '../../lib/mooring/upkeep.ts';
import { allElements, hasTables, removeStrays } from '../../lib/nftables/strays.ts';
import { dropTables } from '../../lib/nftables/tables.ts';
import { accountsOf } from './accounts.ts';
import type { Accounts } from './accounts.ts';
import type { Failure, Garbage } from './garbage.ts';

export interface Orphan extends Garbage {
  readonly remove: () => void;
}

/**
 * How many interfaces are found at once: deleting one takes the kernel some 10 ms, in which ADDs wait for the store.
 */
export const BATCH = 64;

const UNACCOUNTED = 'no attachment accounts for it';

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

/** Named by owner, removed all at once. */
function orphanElements({ netfilter }: Sockets, accounts: Accounts): Orphan[] {
  const remove = once(() => void removeStrays(netfilter, (element) => !accounts.hasElement(element)));
  const strays = allElements(netfilter).filter((element) => !accounts.hasElement(element));
  const owners = Map.groupBy(strays, ({ comment }) => comment);
  return [...owners].map(([owner, { length }]) => ({
    kind: 'rules',
    what: `${length} nftables element${length === 1 ? '' : 's'} of ${owner === '' ? 'nobody' : owner}`,
    reason: UNACCOUNTED,
    remove,
  }));
}

function orphanTables({ netfilter }: Sockets, accounts: Accounts): Orphan[] {
  if (!accounts.isEmpty || !hasTables(netfilter)) return [];
  return [
    {
      kind: 'rules',
      what: 'the nftables tables',
      reason: 'nobody is attached',
      remove: () => dropTables(netfilter),
    },
  ];
}

/** In the order they are to be removed; of interfaces no more than fit in one go, so that it is to be asked again. */
export function findOrphans(
  sockets: Sockets,
  books: Books,
  sweepings: ReadonlyMap<string, Sweeping>,
): Orphan[] {
  const inUse =
    books.living === 'spare' ? [...sweepings.values()].flatMap((each) => each.segmentsInUse(sockets)) : [];
  const accounts = accountsOf(books.records, sweepings, inUse);
  const ofKinds = [...sweepings.values()].flatMap((each) => each.orphans(sockets, books, BATCH));
  return [
    ...orphanElements(sockets, accounts),
    ...ofKinds.map((orphan) => ({ ...orphan, reason: UNACCOUNTED })),
    ...orphanTables(sockets, accounts),
  ];
}

/** Removes what was found, going on after failures. */
export function removeOrphans(orphans: readonly Orphan[]): { removed: Garbage[]; failures: Failure[] } {
  const removed: Garbage[] = [];
  const failures: Failure[] = [];
  for (const { remove, ...garbage } of orphans) {
    try {
      remove();
      removed.push(garbage);
    } catch (error) {
      failures.push({ what: garbage.what, problem: errorText(error) });
    }
  }
  return { removed, failures };
}
