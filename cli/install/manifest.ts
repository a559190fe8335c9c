/** PREFIX/lib/netmoor/installed.json (schemas/installed.schema.json): what is ours, and may be replaced or removed. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { validate } from '../../schemas/compiled/installed.js';
import type { InstalledManifest } from '../../schemas/compiled/installed.js';
import { isSame, isThere, placeOf, put, readText } from './disk.ts';
import type { Found } from './disk.ts';
import type { Entry } from './plan.ts';

export type { InstalledManifest };

/** Undefined: there is none. Throws NetmoorError('io') when it makes no sense. */
export function readManifest(path: string): InstalledManifest | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    manifest = undefined;
  }
  if (validate(manifest)) return manifest;
  throw new NetmoorError(
    'io',
    `${path} is not what this version of netmoor writes`,
    'see who changed it; without it nobody knows what was installed, and netmoor install --force begins anew',
  );
}

export function writeManifest(path: string, manifest: InstalledManifest): void {
  const bytes = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
  put(path, { kind: 'bytes', bytes, mode: 0o644 });
}

/** By its place: links may have come since that lead to it by another path. */
export function entryAt(manifest: InstalledManifest | undefined, path: string): Entry | undefined {
  const place = placeOf(path);
  return manifest?.entries.find((entry) => placeOf(entry.path) === place);
}

/**
 * Whether it is as we have left it. Of an installation that was broken off it may be what was there before: ours of
 * another version, or somebody else's, which is kept aside before it is replaced.
 */
export function isUntouched(
  manifest: InstalledManifest | undefined,
  entry: Entry | undefined,
  found: Found | undefined,
): boolean {
  if (entry === undefined || found === undefined || found.kind === 'other') return false;
  if (isSame(found, entry)) return true;
  return manifest?.unfinished === true && (entry.aside === undefined || isThere(entry.aside));
}
