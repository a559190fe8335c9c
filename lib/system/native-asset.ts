/**
 * The native module of the single executable. The dynamic loader wants a file, so the asset is laid down once and
 * reused by every later start. A directory serves when it can be written, and its file system lets code be mapped (no
 * noexec).
 */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { NetmoorError, errorText } from '../base/errors.ts';
import { makeDirectory } from './directory.ts';

/** What Node.js gives a single executable of its assets (node:sea). */
export interface Assets {
  getAsset(key: string, encoding: 'utf8'): string;
  getRawAsset(key: string): ArrayBuffer;
}

interface Place {
  readonly directory: string;
  /** Permissions of the directory it is in, when that has to be made. */
  readonly parentMode: number;
}

/** In order of preference. What is beside the executable is on a file system that code is executed from. */
function places(): Place[] {
  return [
    { directory: '/var/lib/cni/netmoor/native', parentMode: 0o700 },
    { directory: '/run/netmoor/native', parentMode: 0o755 },
    { directory: join(dirname(process.execPath), '.netmoor-native'), parentMode: 0o755 },
  ];
}

/** Nobody but us (or root) may have been able to write what we are about to execute. */
function isTrusted(path: string, size?: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  const ours = stat.uid === 0 || stat.uid === process.geteuid?.();
  return ours && (stat.mode & 0o022) === 0 && (size === undefined || (stat.isFile() && stat.size === size));
}

/** Written beside its final name and renamed, so that a reader never sees half a module. */
function layDown(path: string, content: Buffer): void {
  // A process killed here leaves its file, and numbers of processes are used again.
  const partial = `${path}.${process.pid}-${process.hrtime.bigint()}`;
  const fd = openSync(partial, 'wx', 0o755);
  try {
    fchmodSync(fd, 0o755);
    for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
    fsyncSync(fd);
    if (fstatSync(fd).size !== content.length) throw new Error(`short write to ${partial}`);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Where the module lies in this place, laid down if need be. Throws Node's errors. */
function settle({ directory, parentMode }: Place, name: string, content: Buffer): string {
  const path = join(directory, name);
  if (!isTrusted(directory) || !isTrusted(path, content.length)) {
    makeDirectory(dirname(directory), parentMode);
    makeDirectory(directory);
    if (!isTrusted(directory)) throw new Error(`others than root may write in ${directory}`);
    layDown(path, content);
  }
  return path;
}

export function loadModule(path: string): unknown {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

/** Loads the asset from the first place where that works. Throws NetmoorError('io'). */
export function loadAsset(assets: Assets): unknown {
  const name = `koffi-${assets.getAsset('koffi.id', 'utf8')}.node`;
  const content = Buffer.from(assets.getRawAsset('koffi.node'));
  const refusals: string[] = [];
  for (const place of places()) {
    try {
      return loadModule(settle(place, name, content));
    } catch (error) {
      refusals.push(errorText(error));
    }
  }
  const directories = places().map(({ directory }) => directory);
  throw new NetmoorError(
    'io',
    `the library that netmoor carries cannot be used in any of ${directories.join(', ')}: ${refusals.join('; ')}`,
    'run as root, and let one of these directories be writable and mounted without noexec',
  );
}
