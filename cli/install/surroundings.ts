/** What of the host decides what is installed. Changes nothing. */
import { accessSync, constants, existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import {
  DEFAULT_PREFIX,
  EXAMPLE_NETWORK,
  HOOK_DIRECTORIES,
  HOOK_FILE,
  NETWORKS,
  USUAL_DIRECTORIES,
} from './layout.ts';
import { isThere } from './disk.ts';
import type { InstalledManifest } from './manifest.ts';
import { entryAt, readManifest } from './manifest.ts';

/** The prefix of the installation that this process runs from, else the usual one. */
export function defaultPrefix(): string {
  const own = dirname(process.execPath);
  const record = join(own, 'installed.json');
  try {
    return readManifest(record)?.prefix ?? DEFAULT_PREFIX;
  } catch {
    // That it makes no sense is said by who needs what is in it.
    return resolve(own, '../..');
  }
}

/** Be it a link that leads nowhere: no directory can be made there. */
function existing(path: string): string {
  return isThere(path) ? path : existing(dirname(path));
}

function mayWrite(directory: string): boolean {
  try {
    accessSync(existing(directory), constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where it was, else the first that can be written. */
export function hookDirectory(manifest: InstalledManifest | undefined): string {
  const before = manifest?.entries.find(({ purpose }) => purpose === 'hook');
  if (before !== undefined) return dirname(before.path);
  return HOOK_DIRECTORIES.find(mayWrite) ?? HOOK_DIRECTORIES[0];
}

export function hookPath(directory: string): string {
  return join(directory, HOOK_FILE);
}

/** Whether the example is to be there: where it is ours already, or nothing is configured. */
export function wantsNetwork(manifest: InstalledManifest | undefined): boolean {
  if (entryAt(manifest, EXAMPLE_NETWORK) !== undefined) return existsSync(EXAMPLE_NETWORK);
  const files = existsSync(NETWORKS) ? readdirSync(NETWORKS) : [];
  return !files.some((name) => /\.(conf|conflist|json)$/.test(name));
}

/** A plugin of the same name elsewhere. */
export interface Shadow {
  readonly name: string;
  readonly path: string;
}

/** Plugins of these names in the other directories that runtimes look into. */
export function shadowsOf(names: readonly string[], cniBin: string, own: string): Shadow[] {
  const real = (path: string): string => (existsSync(path) ? realpathSync(path) : path);
  const others = USUAL_DIRECTORIES.filter((directory) => real(directory) !== real(cniBin));
  return names.flatMap((name) =>
    others
      .map((directory) => join(directory, name))
      .filter((path) => existsSync(path) && dirname(realpathSync(path)) !== real(own))
      .map((path) => ({ name, path })),
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'run it as root',
  EPERM: 'run it as root',
  EROFS:
    'that file system is read-only: name others with --prefix and --cni-bin, such as --prefix /opt/netmoor',
  ENOENT: 'a symbolic link on the way there leads nowhere',
  ENOTDIR: 'something that is no directory is in the way',
};

/** Throws NetmoorError 'privilege' or 'io', before anything has been changed. */
export function requireWritable(directories: readonly string[]): void {
  for (const directory of new Set(directories)) {
    try {
      const place = existing(directory);
      accessSync(place, constants.W_OK | constants.X_OK);
      // Root may write whatever the permissions say, and finds out only by doing so that it is no directory.
      readdirSync(place);
    } catch (error) {
      const code = Object.keys(ADVICE).find((name) => isErrno(error, name));
      const forbidden = code === 'EACCES' || code === 'EPERM';
      throw new NetmoorError(
        forbidden ? 'privilege' : 'io',
        `${directory} cannot be written`,
        (code && ADVICE[code]) ?? '',
        { cause: error },
      );
    }
  }
}
