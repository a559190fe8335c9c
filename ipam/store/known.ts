/**
 * The stores of this host beside its usual one: a config may name another directory (`dataDir`). Whoever clears away
 * what no record accounts for has to ask them all, so each is noted when used. The notes are links under /run: they are
 * gone after a reboot, and so is everything in the kernel that they speak for.
 */
import { existsSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isErrno } from '../../lib/base/errors.ts';
import { sha256 } from '../../lib/base/sha256.ts';
import { makeDirectory } from '../../lib/system/directory.ts';

const NOTES = '/run/netmoor/stores';

/** Notes that a store is in use in this directory. Where /run cannot be written nothing is noted. */
export function noteStore(dir: string, notes = NOTES): void {
  const path = resolve(dir);
  try {
    makeDirectory(notes);
    symlinkSync(path, join(notes, sha256(path).toString('hex', 0, 8)));
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS')) throw error;
  }
}

/**
 * The directories noted so far. What else lies there, or in its stead, is no note of ours: no DEL shall fail for it.
 */
export function notedStores(notes = NOTES): string[] {
  // Mostly there is none, and an error that nobody reads costs more than a look.
  if (!existsSync(notes)) return [];
  return orNothing(() => readdirSync(notes)).flatMap((name) =>
    orNothing(() => [readlinkSync(join(notes, name))]),
  );
}

function orNothing(list: () => string[]): string[] {
  try {
    return list();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return [];
    throw error;
  }
}
