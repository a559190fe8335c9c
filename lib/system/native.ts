/**
 * The way to libc: koffi's prebuilt N-API module, loaded as a file without its JavaScript wrapper (which costs 10 ms at start).
 * From source the file lies in node_modules; the single executable carries it as an asset, and the dynamic loader wants a
 * file, so it is laid down once under the state directory and reused by every later start.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { NetmoorError } from '../base/errors.ts';

type ForeignFunction = (...args: unknown[]) => number | bigint;

interface Koffi {
  load(path: string | null): { func(signature: string): ForeignFunction };
  errno(): number;
}

interface SingleExecutable {
  isSea(): boolean;
  getAsset(key: string, encoding: 'utf8'): string;
  getRawAsset(key: string): ArrayBuffer;
}

/** Where the executable lays the module down; the first that can be written is used. */
const NATIVE_DIRECTORIES = ['/var/lib/cni/netmoor/native', '/run/netmoor/native'];

/** Nobody but us (or root) may have been able to write what we are about to execute. */
function isTrusted(path: string, size?: number): boolean {
  try {
    const stat = statSync(path);
    const ours = stat.uid === 0 || stat.uid === process.geteuid?.();
    return ours && (stat.mode & 0o022) === 0 && (size === undefined || (stat.isFile() && stat.size === size));
  } catch {
    return false;
  }
}

/** Written beside its final name and renamed, so that a reader never sees half a module. */
function layDown(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const partial = `${path}.${process.pid}`;
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

function fromExecutable(sea: SingleExecutable): string {
  const name = `koffi-${sea.getAsset('koffi.id', 'utf8')}.node`;
  const module = Buffer.from(sea.getRawAsset('koffi.node'));
  const refusals: unknown[] = [];
  for (const directory of NATIVE_DIRECTORIES) {
    const path = join(directory, name);
    if (isTrusted(directory) && isTrusted(path, module.length)) return path;
    try {
      layDown(path, module);
      if (isTrusted(directory)) return path;
    } catch (error) {
      refusals.push(error);
    }
  }
  throw new NetmoorError(
    'io',
    `cannot lay down the native module in ${NATIVE_DIRECTORIES.join(' or ')}`,
    'run as root, and make one of these directories writable for root alone',
    { cause: refusals[0] },
  );
}

function fromSource(): string {
  const name = `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`;
  for (let folder = import.meta.dirname; folder !== '/'; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name);
    if (statSync(path, { throwIfNoEntry: false })) return path;
  }
  throw new NetmoorError('internal', `${name} is not installed`, 'run npm ci --ignore-scripts');
}

function loadKoffi(): Koffi {
  const sea = process.getBuiltinModule('node:sea') as unknown as SingleExecutable;
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, sea.isSea() ? fromExecutable(sea) : fromSource());
  return module.exports as Koffi;
}

/** libc, each function bound when first called; a process loads it at most once. */
export class Libc {
  static #shared: Libc | undefined;
  readonly #koffi: Koffi;
  readonly #library: { func(signature: string): ForeignFunction };
  readonly #functions = new Map<string, ForeignFunction>();

  private constructor() {
    this.#koffi = loadKoffi();
    this.#library = this.#koffi.load(null);
  }

  static get(): Libc {
    Libc.#shared ??= new Libc();
    return Libc.#shared;
  }

  /** libc when something has loaded it already. */
  static get loaded(): Libc | undefined {
    return Libc.#shared;
  }

  /** Calls `signature` (a C prototype); the result as a number, -1 meaning failure as libc has it. */
  call(signature: string, ...args: unknown[]): number {
    let foreign = this.#functions.get(signature);
    if (foreign === undefined) {
      foreign = this.#library.func(signature);
      this.#functions.set(signature, foreign);
    }
    return Number(foreign(...args));
  }

  /** errno of the last call. */
  errno(): number {
    return this.#koffi.errno();
  }
}
