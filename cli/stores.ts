/** The lease stores a verb looks at: the host's own and those that configs have named, or the one of --data-dir. */
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { NetmoorError, isErrno } from '../lib/base/errors.ts';
import type { World } from '../lib/cni/world.ts';
import type { DhcpLeaseRecord } from '../ipam/dhcp/record.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import { knownDirectories, openStoreIn } from '../lib/mooring/stores.ts';
import type { NamedStore } from '../lib/mooring/stores.ts';
import { storeFile } from '../ipam/store/open.ts';
import { ROOTLESS, noteRootless } from './rootless.ts';
import type { VerbContext } from './verb.ts';

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

/** Is told of a store that cannot be read, and left out; or throws the error. */
export type Unreadable = (dir: string, error: NetmoorError) => void;

/** Where all stores are meant, one that cannot be read is no reason to show nothing: it is named, once. */
export function named({ dataDir, note }: Pick<VerbContext, 'dataDir' | 'note'>): Unreadable {
  const told = new Set<string>();
  return (dir, error) => {
    if (dataDir !== undefined) throw error;
    if (!told.has(dir)) note(`left out: ${unreadableStore(dir, error)}`);
    told.add(dir);
  };
}

export function unreadableStore(dir: string, { message, details }: NetmoorError): string {
  return `the lease store in ${dir} cannot be read: ${message} (${details})`;
}

/** What `work` makes of each store, those that cannot be read left out. */
export function fromEach<T>(
  stores: readonly NamedStore[],
  unreadable: Unreadable,
  work: (named: NamedStore) => readonly T[],
): T[] {
  return stores.flatMap((each) => {
    try {
      return work(each);
    } catch (error) {
      if (!(error instanceof NetmoorError) || error.kind !== 'store') throw error;
      unreadable(each.dir, error);
      return [];
    }
  });
}

export function readAttachments(stores: readonly NamedStore[], unreadable: Unreadable): AttachmentRecord[] {
  return fromEach(stores, unreadable, ({ store }) => store.read((tx) => tx.attachments()));
}

export function readNetworks(stores: readonly NamedStore[], unreadable: Unreadable): NetworkRecord[] {
  return fromEach(stores, unreadable, ({ store }) => store.read((tx) => tx.networks()));
}

export function readDhcpLeases(stores: readonly NamedStore[], unreadable: Unreadable): DhcpLeaseRecord[] {
  return fromEach(stores, unreadable, ({ store }) => store.read((tx) => tx.dhcpLeases()));
}

/** Those that can be read from end to end. */
export function readable(stores: readonly NamedStore[], unreadable: Unreadable): NamedStore[] {
  return fromEach(stores, unreadable, (each) => {
    each.store.read((tx) => [tx.attachments(), tx.networks()]);
    return [each];
  });
}
