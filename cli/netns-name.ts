/**
 * Names of namespaces made on demand, by one process at a time: of two `attach --create NAME` at once the second waits
 * for the first to succeed, or to take back what it made. Neither can make a namespace over the other's, nor remove it.
 */
import { NetmoorError, isErrno } from '../lib/base/errors.ts';
import type { UndoStack } from '../lib/base/undo.ts';
import { allCachedAttachments, isWhereItWas } from '../lib/cni/lists/cache.ts';
import type { World } from '../lib/cni/world.ts';
import { makeDirectory } from '../lib/system/directory.ts';
import { FileLock } from '../lib/system/lock.ts';
import {
  NETNS_DIRECTORY,
  ensureNamedNetns,
  namedNetnsPath,
  removeNamedNetns,
} from '../lib/system/named-netns.ts';

const LOCKS = '/run/netmoor/netns';

/** Attaching takes as long as its slowest plugin. */
const TIME_LIMIT = 60_000;

/** The name that a path in the directory of named namespaces gives. */
export function netnsNameIn(path: string): string | undefined {
  const name = path.startsWith(`${NETNS_DIRECTORY}/`) ? path.slice(NETNS_DIRECTORY.length + 1) : '';
  return name === '' || name.includes('/') ? undefined : name;
}

function acquire(name: string, world: World): FileLock {
  try {
    makeDirectory(LOCKS);
    return FileLock.acquire(`${LOCKS}/${name}.lock`, world, TIME_LIMIT);
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    const advice = 'run it as root: sudo netmoor …';
    throw new NetmoorError('privilege', `${LOCKS} is not writable for this user`, advice, { cause: error });
  }
}

/** Runs `work` while no other process makes or removes the namespace of that name; at once when there is no name. */
export async function withNetnsName<T>(
  name: string | undefined,
  world: World,
  work: () => Promise<T>,
): Promise<T> {
  if (name === undefined) return work();
  const lock = acquire(name, world);
  try {
    return await work();
  } finally {
    lock.remove();
  }
}

/** Somebody who needed no name to be made has attached it meanwhile, or does so right now. */
function isInUse(id: string, world: World): boolean {
  return allCachedAttachments(world).some(
    (cached) => cached.origin?.netnsId === id && isWhereItWas(cached, world),
  );
}

/**
 * The path of the namespace of that name, made if there is none. `undo` takes away again what this call made, and
 * nothing else: not a later one of that name, nor one that is attached to something. To be called in `withNetnsName`.
 */
export function createNetns(
  name: string,
  world: World,
  undo: UndoStack,
  prepare: (path: string) => void,
): string {
  const path = namedNetnsPath(name);
  const made = ensureNamedNetns(name);
  if (made === undefined) return path;
  undo.push(`remove network namespace ${name}`, () => {
    if (!isInUse(made, world)) removeNamedNetns(name, made);
  });
  prepare(path);
  return path;
}
