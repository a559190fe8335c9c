/** The lease stores a verb looks at: the host's own and those that configs have named, or the one of --data-dir. */
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { NetmoorError, isErrno } from '../lib/base/errors.ts';
import type { World } from '../lib/cni/world.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import { knownDirectories, openStoreIn } from '../lib/mooring/stores.ts';
import type { NamedStore } from '../lib/mooring/stores.ts';
import { storeFile } from '../ipam/store/open.ts';
import type { StoreReader } from '../ipam/store/store.ts';
import { ROOTLESS, noteRootless } from './rootless.ts';

/** A store that this user cannot look into would seem to be an empty one. */
function refuseHidden(dir: string): void {
  try {
    accessSync(storeFile(dir), constants.R_OK);
  } catch (error) {
    if (!isErrno(error, 'EACCES')) return;
    throw new NetmoorError(
      'privilege',
      `the lease store in ${dir} is not readable for this user`,
      `run it as root: sudo netmoor …; for containers of rootless podman: ${ROOTLESS}`,
      {
        cause: error,
      },
    );
  }
}

/** What netmoor puts beside the store, into a directory that may hold none yet. */
const BESIDE = ['native'];

/** One that holds other things, and no store, was given by mistake: it would seem to be an empty store. */
function refuseForeign(dir: string): void {
  const stat = statSync(dir, { throwIfNoEntry: false });
  const problem =
    stat === undefined
      ? `there is no directory ${dir}`
      : !stat.isDirectory()
        ? `${dir} is no directory`
        : !existsSync(storeFile(dir)) && readdirSync(dir).some((name) => !BESIDE.includes(name))
          ? `there is no lease store in ${dir}`
          : undefined;
  if (problem === undefined) return;
  throw new NetmoorError('io', problem, 'give --data-dir the "dataDir" of a network config, or leave it out');
}

/**
 * Throws NetmoorError: 'io' for a --data-dir that is none, 'privilege' for a store that cannot be read. `note` is told
 * of stores elsewhere.
 */
export function openStores(
  world: World,
  dataDir: string | undefined,
  note: (line: string) => void = () => {},
): NamedStore[] {
  if (dataDir !== undefined) refuseForeign(dataDir);
  const stores = dataDir === undefined ? openAll(world) : open(world, [resolve(dataDir)]);
  noteRootless(
    stores.map(({ dir }) => dir),
    note,
  );
  return stores;
}

/** Every store in use on this host, as far as is known, whatever --data-dir says. */
export function openAll(world: World): NamedStore[] {
  return open(world, knownDirectories(world));
}

function open(world: World, dirs: readonly string[]): NamedStore[] {
  return dirs.map((dir) => {
    refuseHidden(dir);
    return openStoreIn(dir, world);
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
