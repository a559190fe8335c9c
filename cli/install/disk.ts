/** What is on disk, and putting something else there in one step: written beside, then renamed. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Content, Entry } from './plan.ts';

const CHUNK = 1024 * 1024;

export type Found =
  | { readonly kind: 'file'; readonly sha256: string }
  | { readonly kind: 'link'; readonly target: string }
  /** A directory, a device. */
  | { readonly kind: 'other' };

/** The same of a large file, read piece by piece. */
export function hashOf(file: string): string {
  const hash = createHash('sha256');
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let read = -1; read !== 0; ) {
      read = readSync(fd, buffer, 0, CHUNK, null);
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** Anything, be it a link that leads nowhere. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function realDirectory(directory: string): string {
  if (existsSync(directory)) return realpathSync(directory);
  return join(realDirectory(dirname(directory)), basename(directory));
}

/** The same for all paths of one directory entry, whatever links lead to its directory. */
export function placeOf(path: string): string {
  return join(realDirectory(dirname(path)), basename(path));
}

/** Undefined: there is nothing. */
export function look(path: string): Found | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) return { kind: 'link', target: readlinkSync(path) };
  return stat.isFile() ? { kind: 'file', sha256: hashOf(path) } : { kind: 'other' };
}

/** What will be found where this has been put. */
export function foundOf(content: Content): Exclude<Found, { kind: 'other' }> {
  if (content.kind === 'link') return content;
  if (content.kind === 'copy') return { kind: 'file', sha256: hashOf(content.from) };
  return { kind: 'file', sha256: createHash('sha256').update(content.bytes).digest('hex') };
}

export function isSame(found: Found | undefined, other: Pick<Entry, 'kind' | 'sha256' | 'target'>): boolean {
  if (found?.kind === 'file') return other.kind === 'file' && found.sha256 === other.sha256;
  return found?.kind === 'link' && other.kind === 'link' && found.target === other.target;
}

/** Whether both paths lead to one file, which then cannot be copied onto itself. */
export function isOneFile(path: string, other: string): boolean {
  return existsSync(path) && realpathSync(path) === realpathSync(other);
}

function persist(file: string, mode: number): void {
  const fd = openSync(file, 'r');
  try {
    // Whatever umask we have been started under.
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeBeside(partial: string, content: Content): void {
  if (content.kind === 'link') {
    symlinkSync(content.target, partial);
  } else if (content.kind === 'bytes') {
    writeFileSync(partial, content.bytes, { flag: 'wx' });
    persist(partial, content.mode);
  } else {
    copyFileSync(content.from, partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    persist(partial, 0o755);
  }
}

/** Beside a file, the name of what a process is to put there begins so; its number follows. */
function partialPrefix(path: string): string {
  return `.${basename(path)}.netmoor-new-`;
}

/** What processes that were killed have left beside a file. */
export function removeLeftovers(path: string): void {
  const directory = dirname(path);
  const prefix = partialPrefix(path);
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names.filter((each) => each.startsWith(prefix)))
    if (!existsSync(`/proc/${name.slice(prefix.length)}`)) rmSync(join(directory, name));
}

/** A program that runs goes on with the file it was started from. */
export function put(path: string, content: Content): void {
  removeLeftovers(path);
  const partial = join(dirname(path), `${partialPrefix(path)}${process.pid}`);
  rmSync(partial, { force: true });
  try {
    writeBeside(partial, content);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Small files of ours. */
export function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
