/** The lease stores a verb looks at: the host's own and those that configs have named, or the one of --data-dir. */
import { accessSync, constants, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { NetmoorError, isErrno } from '../lib/base/errors.ts';
import type { World } from '../lib/cni/world.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import { notedStores } from '../ipam/store/known.ts';
import { openStore, storeFile } from '../ipam/store/open.ts';
import type { LeaseStore, StoreReader } from '../ipam/store/store.ts';

export interface NamedStore {
  readonly dir: string;
  readonly store: LeaseStore;
}

/** A store that this user cannot look into would seem to be an empty one. */
function refuseHidden(dir: string): void {
  try {
    accessSync(storeFile(dir), constants.R_OK);
  } catch (error) {
    if (!isErrno(error, 'EACCES')) return;
    throw new NetmoorError(
      'privilege',
      `the lease store in ${dir} is not readable for this user`,
      'run it as root: sudo netmoor …',
      {
        cause: error,
      },
    );
  }
}

/** Throws NetmoorError: 'io' for a --data-dir that does not exist, 'privilege' for a store that cannot be read. */
export function openStores(world: World, dataDir: string | undefined): NamedStore[] {
  if (dataDir !== undefined && !existsSync(dataDir)) {
    throw new NetmoorError(
      'io',
      `there is no directory ${dataDir}`,
      'give --data-dir the "dataDir" of a network config, or leave it out',
    );
  }
  return dataDir === undefined ? openAll(world) : open(world, [resolve(dataDir)]);
}

/** Every store in use on this host, as far as is known, whatever --data-dir says. */
export function openAll(world: World): NamedStore[] {
  const noted = notedStores().filter((dir) => dir !== world.storeDirectory && existsSync(storeFile(dir)));
  return open(world, [world.storeDirectory, ...noted]);
}

function open(world: World, dirs: readonly string[]): NamedStore[] {
  return dirs.map((dir) => {
    refuseHidden(dir);
    return { dir, store: openStore({ dir, bootId: world.bootId, now: world.monotonic }) };
  });
}

function readAll<T>(stores: readonly NamedStore[], question: (tx: StoreReader) => readonly T[]): T[] {
  return stores.flatMap(({ store }) => store.read(question));
}

export function readAttachments(stores: readonly NamedStore[]): AttachmentRecord[] {
  return readAll(stores, (tx) => tx.attachments());
}

export function readNetworks(stores: readonly NamedStore[]): NetworkRecord[] {
  return readAll(stores, (tx) => tx.networks());
}
