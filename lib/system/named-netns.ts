/**
 * Network namespaces by name, as ip-netns(8) keeps them: a file under /run/netns that the namespace is mounted on, so
 * that it lives without any process in it. What is made here, `ip netns` lists, enters and deletes, and the other way
 * round.
 */
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';
import { makeDirectory } from './directory.ts';
import { inNewNetns, ownNetnsId } from './netns.ts';
import { MNT_DETACH, MS_BIND, MS_REC, MS_SHARED, mount, umount } from './syscall.ts';

export const NETNS_DIRECTORY = '/run/netns';

export function namedNetnsPath(name: string): string {
  return `${NETNS_DIRECTORY}/${name}`;
}

/**
 * Mounts below the directory are shared with all mount namespaces that have it: a name given or taken away in one is so
 * in all. A directory that is no mount yet is made one.
 */
function shareDirectory(): void {
  makeDirectory(NETNS_DIRECTORY);
  const op = `share mounts in ${NETNS_DIRECTORY}`;
  const share = (): void => mount('', NETNS_DIRECTORY, MS_SHARED | MS_REC, op);
  try {
    share();
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
    mount(NETNS_DIRECTORY, NETNS_DIRECTORY, MS_BIND | MS_REC, op);
    share();
  }
}

/**
 * "device:inode" of the namespace of that name; undefined when the name is free, or only an empty file is left of it.
 */
export function namedNetnsId(name: string): string | undefined {
  const stat = statSync(namedNetnsPath(name), { bigint: true, throwIfNoEntry: false });
  // The file itself lies in the directory's file system; a namespace mounted on it does not.
  if (stat === undefined || stat.dev === statSync(NETNS_DIRECTORY, { bigint: true }).dev) return undefined;
  return `${stat.dev}:${stat.ino}`;
}

/** Names there are, sorted. */
export function listNamedNetns(): string[] {
  try {
    return readdirSync(NETNS_DIRECTORY).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** True when this call made the file. */
function claimName(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o444));
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/**
 * Makes an empty namespace of that name unless there is one already; the "device:inode" of the one that this call made.
 * Two calls for one name at once are the caller's to keep apart: the second would hide the namespace of the first.
 */
export function ensureNamedNetns(name: string): string | undefined {
  if (namedNetnsId(name) !== undefined) return undefined;
  shareDirectory();
  const path = namedNetnsPath(name);
  const claimed = claimName(path);
  try {
    return inNewNetns(() => {
      mount('/proc/thread-self/ns/net', path, MS_BIND, `name network namespace ${name}`);
      return ownNetnsId();
    });
  } catch (error) {
    if (claimed) rmSync(path, { force: true });
    throw error;
  }
}

/**
 * Takes the name away from the namespace with that "device:inode", or from whichever has it; the namespace ends with
 * the last process in it. False when there was none.
 */
export function removeNamedNetns(name: string, id?: string): boolean {
  if (id !== undefined && namedNetnsId(name) !== id) return false;
  const path = namedNetnsPath(name);
  try {
    umount(path, MNT_DETACH, `take the name ${name} from its network namespace`);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    // EINVAL: an empty file, left by who died between making and mounting.
    if (!isErrno(error, 'EINVAL')) throw error;
  }
  rmSync(path, { force: true });
  return true;
}
