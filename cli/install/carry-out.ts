/** Carrying out what has been judged: on record first, so that whoever is killed over it can be followed by another. */
import { accessSync, constants, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../../lib/system/directory.ts';
import { isThere, look, placeOf, put, removeLeftovers } from './disk.ts';
import type { Action, Step } from './judge.ts';
import { asideOf } from './judge.ts';
import type { Layout } from './layout.ts';
import { isUntouched, writeManifest } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import type { Entry } from './plan.ts';

const CHANGES: readonly Action[] = ['write', 'replace', 'aside'];

export function isChange({ action }: Pick<Step, 'action'>): boolean {
  return CHANGES.includes(action);
}

/** Those of the directories that there are not yet, parents first. */
function missing(directories: readonly string[]): string[] {
  const all = new Set<string>();
  for (const directory of directories)
    for (let path = directory; !existsSync(path); path = dirname(path)) all.add(path);
  return [...all].toSorted((a, b) => a.length - b.length);
}

/** What an earlier installation had, and this one has no more. */
export function obsolete(manifest: InstalledManifest | undefined, steps: readonly Step[]): Entry[] {
  const places = new Set(steps.map(({ wanted }) => placeOf(wanted.path)));
  return manifest?.entries.filter(({ path }) => !places.has(placeOf(path))) ?? [];
}

/** Two names of one file, where nothing else had come in its place yet, rename(2) leaves as they are. */
function bringBack(aside: string, path: string): void {
  renameSync(aside, path);
  rmSync(aside, { force: true });
}

/** Takes an entry away, if it is as we left it, and brings back what was there before. */
export function takeAway(
  entry: Entry,
  manifest: InstalledManifest | undefined,
): 'removed' | 'gone' | 'changed' {
  removeLeftovers(entry.path);
  const found = look(entry.path);
  if (found !== undefined && !isUntouched(manifest, entry, found)) return 'changed';
  if (entry.aside !== undefined && isThere(entry.aside)) bringBack(entry.aside, entry.path);
  else rmSync(entry.path, { force: true });
  return found === undefined ? 'gone' : 'removed';
}

function carryOutOne({ action, wanted: { path, content } }: Step): void {
  makeDirectory(dirname(path));
  // By a further name, so that there is a plugin at every moment.
  if (action === 'aside') linkSync(path, asideOf(path));
  put(path, content);
}

/** Whether programs there can be started at all: a file system may be mounted noexec. */
export function canExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Record {
  readonly layout: Layout;
  readonly steps: readonly Step[];
  readonly before: InstalledManifest | undefined;
  readonly manifest: Omit<InstalledManifest, 'entries' | 'directories' | 'unfinished'>;
}

function entriesOf({ steps, before }: Record, whole: boolean): Entry[] {
  const entries = steps.flatMap(({ entry }) => entry ?? []);
  return whole ? entries : [...entries, ...obsolete(before, steps)];
}

/** Nothing changes on disk when all is as it is to be. Throws Node's errors. */
export function carryOut(record: Record): void {
  const { layout, steps, before, manifest } = record;
  const changes = steps.filter(isChange);
  const gone = obsolete(before, steps);
  const made = missing([layout.own, ...changes.map(({ wanted }) => dirname(wanted.path))]);
  // Ours whoever has made it: one who was killed before it was on record.
  const directories = [...new Set([...(before?.directories ?? []), ...made, layout.own])];
  const entries = entriesOf(record, true);
  const final = { ...manifest, entries, directories };
  if (changes.length === 0 && gone.length === 0 && JSON.stringify(final) === JSON.stringify(before)) return;
  makeDirectory(layout.own);
  writeManifest(layout.manifest, { ...final, entries: entriesOf(record, false), unfinished: true });
  for (const step of changes) carryOutOne(step);
  for (const entry of gone) takeAway(entry, before);
  writeManifest(layout.manifest, final);
}
