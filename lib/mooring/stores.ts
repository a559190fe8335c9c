/**
 * The lease stores of a host: its usual one, and those that configurations name (`dataDir`), which are noted when they
 * are used. What attachments share in the kernel is shared across all of them.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { NetmoorError } from '../base/errors.ts';
import type { World } from '../cni/world.ts';
import { notedStores } from '../../ipam/store/known.ts';
import { openStore, storeFile } from '../../ipam/store/open.ts';
import type { LeaseStore, StoreReader, StoreTransaction } from '../../ipam/store/store.ts';

export interface NamedStore {
  readonly dir: string;
  readonly store: LeaseStore;
}

export function openStoreIn(dir: string, world: World): NamedStore {
  const { bootId, hostId, monotonic } = world;
  const open = (): NamedStore => ({ dir, store: openStore({ dir, bootId, hostId, now: monotonic }) });
  return world.keep ? world.keep(`store ${dir}`, open) : open();
}

/** One store may be known by several names: who took it for two would wait for himself. */
function identityOf(dir: string): string {
  try {
    return realpathSync(dir);
  } catch {
    return resolve(dir);
  }
}

function withoutThose(dirs: readonly string[], known: readonly string[]): string[] {
  // Mostly there is one store, by one name: then nothing has to be looked at.
  const others = dirs.filter((dir) => !known.includes(dir));
  if (others.length === 0) return [];
  const seen = new Set(known.map(identityOf));
  return others.filter((dir) => {
    const identity = identityOf(dir);
    const isNew = !seen.has(identity);
    seen.add(identity);
    return isNew;
  });
}

/** Directories of all stores that there are, as far as is known; the host's usual one whether it exists or not. */
export function knownDirectories(world: World): string[] {
  const usual = resolve(world.storeDirectory);
  const noted = notedStores().filter((dir) => existsSync(storeFile(dir)));
  return [usual, ...withoutThose(noted, [usual])];
}

/** All of them, the host's usual one first. Nothing is opened yet. */
export function knownStores(world: World): NamedStore[] {
  return knownDirectories(world).map((dir) => openStoreIn(dir, world));
}

/** All stores but the one of `dir`; those that have been `opened` before are taken from there. */
export function otherStores(dir: string, world: World, opened: Map<string, NamedStore>): NamedStore[] {
  const others = withoutThose(knownDirectories(world), [dir]).filter((other) => existsSync(storeFile(other)));
  return others.map((other) => {
    const named = opened.get(other) ?? openStoreIn(other, world);
    opened.set(other, named);
    return named;
  });
}

/** Whether others than the store of `dir` are in use, or were since the host was started. */
export function isOneOfSeveral(dir: string, world: World): boolean {
  const usual = world.storeDirectory;
  const all = [...notedStores(), ...(existsSync(storeFile(usual)) ? [usual] : [])];
  return withoutThose(all, [dir]).length > 0;
}

/** Whether the host has a store that is not among these. */
export function hasMore(stores: readonly NamedStore[], world: World): boolean {
  const dirs = stores.map(({ dir }) => dir);
  return withoutThose(knownDirectories(world), dirs).some((dir) => existsSync(storeFile(dir)));
}

/** The order in which all who lock several stores take them, so that no two processes wait for each other. */
export function inOrder(stores: readonly NamedStore[]): NamedStore[] {
  return stores.toSorted((a, b) => (resolve(a.dir) < resolve(b.dir) ? -1 : 1));
}

/** Asks every other store of the host; `unknown` stands for what one that cannot be read would have said. */
export type Ask = <T>(question: (reader: StoreReader) => T, unknown: T) => T[];

export function asking(others: readonly NamedStore[]): Ask {
  return (question, unknown) =>
    others.map(({ store }) => {
      try {
        return store.read(question);
      } catch (error) {
        if (error instanceof NetmoorError) return unknown;
        throw error;
      }
    });
}

interface Locked {
  readonly own: StoreTransaction | undefined;
  readonly others: readonly StoreReader[];
  readonly unlocked: readonly NamedStore[];
}

/**
 * What is done while stores are locked. `ask` asks the others; where `unknown` is no safe answer for one that could not
 * be locked, `look` reads it as it is.
 */
export type Alone<T> = (tx: StoreTransaction, ask: Ask, look: Ask) => T;

/**
 * A write transaction in the first store, with all of these others locked meanwhile: in the order of their directories,
 * so that no two processes wait for each other. `refused` is told of one that cannot be locked.
 */
export function writeWith<T>(
  own: NamedStore,
  others: readonly NamedStore[],
  work: Alone<T>,
  refused: (error: NetmoorError, dir: string) => void,
): T {
  const run = ({ own: tx, others: readers, unlocked }: Locked): T => {
    if (tx === undefined) throw new TypeError('the own store is not among those locked');
    const locked = <A>(question: (reader: StoreReader) => A): A[] => readers.map((each) => question(each));
    const ask: Ask = (question, unknown) => [...locked(question), ...unlocked.map(() => unknown)];
    const look: Ask = (question, unknown) => [...locked(question), ...asking(unlocked)(question, unknown)];
    return work(tx, ask, look);
  };
  const lock = ([first, ...rest]: readonly NamedStore[], held: Locked): T => {
    if (first === undefined) return run(held);
    if (first === own) return first.store.write((tx) => lock(rest, { ...held, own: tx }));
    const inside = { begun: false };
    try {
      return first.store.write((tx) => {
        inside.begun = true;
        return lock(rest, { ...held, others: [...held.others, tx] });
      });
    } catch (error) {
      if (inside.begun || !(error instanceof NetmoorError)) throw error;
      refused(error, first.dir);
      return lock(rest, { ...held, unlocked: [...held.unlocked, first] });
    }
  };
  return lock(inOrder([own, ...others]), { own: undefined, others: [], unlocked: [] });
}
