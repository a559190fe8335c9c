/**
 * The native module of the single executable. The dynamic loader wants a file: the one that `netmoor install` has put
 * beside the executable, or else the asset, laid down once and reused by every later start. A directory serves when it
 * can be written, and its file system lets code be mapped (no noexec).
 */
import {
  closeSync,
  constants,
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

/** Where an installation has the module, so that nothing has to be laid down: beside the executable. */
function installed(name: string, content: Buffer): string {
  const path = join(dirname(process.execPath), name);
  if (isTrusted(dirname(path)) && isTrusted(path, content.length)) return path;
  throw new Error(`${path} is not installed`);
}

/** The last resort, memory that nobody else can name: most hosts have /dev/shm without noexec. */
const SHARED_MEMORY = '/dev/shm';

/** open(2): a file without a name, in a directory (asm-generic/fcntl.h, __O_TMPFILE). */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

function loadWithoutName(content: Buffer): unknown {
  const fd = openSync(SHARED_MEMORY, O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
    return loadModule(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

export function loadModule(path: string): unknown {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

/** What may load it, in order of preference. */
function attempts(name: string, content: Buffer): (() => unknown)[] {
  return [
    () => loadModule(installed(name, content)),
    ...places().map((place) => () => loadModule(settle(place, name, content))),
    () => loadWithoutName(content),
  ];
}

/** The module as a file of an installation: its name, which is another for another module, and what is in it. */
export function nativeModule(assets: Assets): { readonly name: string; readonly content: Buffer } {
  const name = `koffi-${assets.getAsset('koffi.id', 'utf8')}.node`;
  return { name, content: Buffer.from(assets.getRawAsset('koffi.node')) };
}

/** Loads the asset from the first place where that works. Throws NetmoorError('io'). */
export function loadAsset(assets: Assets): unknown {
  const { name, content } = nativeModule(assets);
  const refusals: string[] = [];
  for (const attempt of attempts(name, content)) {
    try {
      return attempt();
    } catch (error) {
      refusals.push(errorText(error));
    }
  }
  const directories = [...places().map(({ directory }) => directory), SHARED_MEMORY];
  throw new NetmoorError(
    'io',
    `the library that netmoor carries cannot be used in any of ${directories.join(', ')}: ${refusals.join('; ')}`,
    'run as root; install it ("netmoor install" puts the library beside the program), or let one of these ' +
      'directories be writable and mounted without noexec',
  );
}
