/** What is to be done with each file of an installation, by what is there. Changes nothing. */
import { foundOf, isSame, isOneFile, isThere, look } from './disk.ts';
import { entryAt, isUntouched } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import type { Entry, Wanted } from './plan.ts';

export type Action = 'write' | 'replace' | 'aside' | 'keep' | 'leave';

export interface Step {
  readonly wanted: Wanted;
  /** As it will be on record; undefined where something else stays there. */
  readonly entry: Entry | undefined;
  readonly action: Action;
  readonly why?: string;
}

/** Somebody else's, which is not overwritten. */
export interface Conflict {
  readonly path: string;
  readonly why: string;
  /** Not by --force either. */
  readonly final?: boolean;
}

export type Judgement = { readonly step: Step } | { readonly conflict: Conflict };

const NOT_ON_RECORD =
  'it is there without a record of "netmoor install", as from a package; taken over by --force, it goes with uninstall';

/** The name under which something else is kept. */
export function asideOf(path: string): string {
  return `${path}.before-netmoor`;
}

function entryOf({ path, purpose, content }: Wanted, before: Entry | undefined): Entry {
  const found = foundOf(content);
  return { path, purpose, ...found, ...(before?.aside === undefined ? {} : { aside: before.aside }) };
}

function overSomethingElse(wanted: Wanted, entry: Entry, why: string, force: boolean): Judgement {
  const { path } = wanted;
  if (!force && wanted.optional) return { step: { wanted, entry: undefined, action: 'leave', why } };
  if (!force) return { conflict: { path, why } };
  const aside = asideOf(path);
  if (isThere(aside))
    return { conflict: { path, why: `${why}, and ${aside} is there already: see what it is`, final: true } };
  return { step: { wanted, entry: { ...entry, aside }, action: 'aside', why: `kept as ${aside}` } };
}

export function judge(wanted: Wanted, manifest: InstalledManifest | undefined, force: boolean): Judgement {
  const { path, purpose, content } = wanted;
  const before = entryAt(manifest, path);
  const entry = entryOf(wanted, before);
  const step = (action: Action, why?: string): Judgement => ({
    step: { wanted, entry, action, ...(why === undefined ? {} : { why }) },
  });
  // A program that is not on record a package has put there; its manager would miss it after uninstall.
  const kept = (): Judgement =>
    purpose === 'program' && before === undefined && !force
      ? { conflict: { path, why: NOT_ON_RECORD } }
      : step('keep');
  if (content.kind === 'copy' && isOneFile(path, content.from)) return kept();
  const found = look(path);
  if (found === undefined) return step('write');
  if (isSame(found, entry)) return kept();
  if (found.kind === 'other') return { conflict: { path, why: 'it is no file', final: true } };
  // The directory is ours, and who has put another version there by hand wants a newer one.
  const program = purpose === 'program' && before !== undefined;
  if (program || isUntouched(manifest, before, found)) return step('replace');
  if (before === undefined || force)
    return overSomethingElse(wanted, entry, 'something else is there', force);
  return {
    step: { wanted, entry: before, action: 'leave', why: 'it was changed since it was installed' },
  };
}
