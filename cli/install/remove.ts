/** Taking an installation away: exactly what is on record, as far as nobody has changed it since. */
import { rmSync, rmdirSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import type { UninstallOutput } from '../../schemas/compiled/cli-uninstall.js';
import { takeAway } from './carry-out.ts';
import { isThere, look, removeLeftovers } from './disk.ts';
import type { Layout } from './layout.ts';
import { isUntouched, writeManifest } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import type { Entry } from './plan.ts';

export type Removal = Pick<UninstallOutput, 'removed' | 'left'> & { restored: string[] };

const CHANGED = 'it was changed since it was installed';

/** Names first, so that at no time one leads nowhere. */
function inOrder(entries: readonly Entry[]): Entry[] {
  return entries.toReversed();
}

/** What would be done. */
export function foresee(manifest: InstalledManifest): Removal {
  const removal: Removal = { removed: [], restored: [], left: [] };
  for (const entry of inOrder(manifest.entries)) {
    const found = look(entry.path);
    if (found === undefined) continue;
    if (!isUntouched(manifest, entry, found)) removal.left.push({ path: entry.path, why: CHANGED });
    else if (entry.aside !== undefined && isThere(entry.aside)) removal.restored.push(entry.path);
    else removal.removed.push(entry.path);
  }
  return removal;
}

/** A directory that is not empty is left, without a word where what is in it was left for a reason. */
function removeDirectories(directories: readonly string[]): string[] {
  return directories
    .toSorted((a, b) => b.length - a.length)
    .filter((directory) => {
      try {
        rmdirSync(directory);
        return true;
      } catch (error) {
        if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY', 'ENOTDIR')) return false;
        throw error;
      }
    });
}

/** What is left stays on record as long as the directory is ours, so that it may be repeated. Throws Node's errors. */
export function remove({ manifest: file }: Layout, manifest: InstalledManifest): Removal {
  const removal: Removal = { removed: [], restored: [], left: [] };
  for (const entry of inOrder(manifest.entries)) {
    const brought = entry.aside !== undefined && isThere(entry.aside);
    const done = takeAway(entry, manifest);
    if (done === 'changed') removal.left.push({ path: entry.path, why: CHANGED });
    else if (brought) removal.restored.push(entry.path);
    else if (done === 'removed') removal.removed.push(entry.path);
  }
  const programs = manifest.entries.filter(
    ({ path, purpose }) => purpose === 'program' && removal.left.some((left) => left.path === path),
  );
  // As long as there is a record, who is killed over it can be followed by another.
  const removed = [...removal.removed, ...removeDirectories(manifest.directories)];
  if (programs.length > 0) writeManifest(file, { ...manifest, entries: programs, enabled: [] });
  else rmSync(file, { force: true });
  removeLeftovers(file);
  return { ...removal, removed: [...removed, ...removeDirectories(manifest.directories)] };
}
