/**
 * The lease stores of a host: its usual one, and those that configurations name (`dataDir`), which are noted when they are used.
 * What attachments share in the kernel is shared across all of them.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { NetmoorError } from '../base/errors.ts';
import type { World } from '../cni/world.ts';
import { notedStores } from '../../ipam/store/known.ts';
import { openStore, storeFile } from '../../ipam/store/open.ts';
import type { LeaseStore, StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { hostIdOf } from './vantage.ts';

export interface NamedStore {
  readonly dir: string;
  readonly store: LeaseStore;
}

export function openStoreIn(dir: string, world: World): NamedStore {
  const { bootId, monotonic } = world;
  return { dir, store: openStore({ dir, bootId, hostId: hostIdOf(world), now: monotonic }) };
}

/** Directories of all stores that there are, as far as is known; the host's usual one whether it exists or not. */
export function knownDirectories(world: World): string[] {
  const usual = resolve(world.storeDirectory);
  const noted = notedStores().filter((dir) => dir !== usual && existsSync(storeFile(dir)));
  return [usual, ...noted];
}

/** All stores but the one of `dir`. */
export function otherStores(dir: string, world: World): NamedStore[] {
  const own = resolve(dir);
  return knownDirectories(world)
    .filter((other) => other !== own && existsSync(storeFile(other)))
    .map((other) => openStoreIn(other, world));
}

/** Asks other stores; what one that cannot be read would have said is unknown, and told. */
export function askOthers<T>(
  others: readonly NamedStore[],
  question: (reader: StoreReader) => T,
  unknown: (error: NetmoorError, dir: string) => T,
): T[] {
  return others.map(({ dir, store }) => {
    try {
      return store.read(question);
    } catch (error) {
      if (error instanceof NetmoorError) return unknown(error, dir);
      throw error;
    }
  });
}

/**
 * A write transaction in the first store, with all others locked meanwhile: in the order of their directories, so that no two
 * processes wait for each other. One that cannot be locked is passed over, `unlocked` is told.
 */
export function writeAlone<T>(
  own: NamedStore,
  others: readonly NamedStore[],
  work: (tx: StoreTransaction) => T,
  unlocked: (error: NetmoorError, dir: string) => void,
): T {
  const order = [own, ...others].toSorted((a, b) => (a.dir < b.dir ? -1 : 1));
  const begin = (rest: readonly NamedStore[], mine: StoreTransaction | undefined): T => {
    const [first, ...later] = rest;
    if (first === undefined) {
      if (mine === undefined) throw new TypeError('the own store is not among those locked');
      return work(mine);
    }
    if (first === own) return own.store.write((tx) => begin(later, tx));
    const inside = { begun: false };
    try {
      return first.store.write(() => {
        inside.begun = true;
        return begin(later, mine);
      });
    } catch (error) {
      if (inside.begun || !(error instanceof NetmoorError)) throw error;
      unlocked(error, first.dir);
      return begin(later, mine);
    }
  };
  return begin(order, undefined);
}
