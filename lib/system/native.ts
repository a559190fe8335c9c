/**
 * The way to libc: koffi's prebuilt N-API module, loaded as a file without its JavaScript wrapper (which costs 10 ms at
 * start). From source the file lies in node_modules; the single executable carries it as an asset (see
 * native-asset.ts).
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetmoorError } from '../base/errors.ts';
import { loadAsset, loadModule } from './native-asset.ts';
import type { Assets } from './native-asset.ts';

interface ForeignFunction {
  (...args: unknown[]): number | bigint;
  /** Runs in a thread of libuv's pool. */
  async(...args: [...unknown[], (error: Error | null, result: number | bigint) => void]): void;
}

interface Koffi {
  load(path: string | null): { func(signature: string): ForeignFunction };
  errno(): number;
  address(buffer: Uint8Array): bigint;
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
  const sea = process.getBuiltinModule('node:sea') as unknown as Assets & { isSea(): boolean };
  return (sea.isSea() ? loadAsset(sea) : loadModule(fromSource())) as Koffi;
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

  #function(signature: string): ForeignFunction {
    let foreign = this.#functions.get(signature);
    if (foreign === undefined) {
      foreign = this.#library.func(signature);
      this.#functions.set(signature, foreign);
    }
    return foreign;
  }

  /** Calls `signature` (a C prototype); the result as a number, -1 meaning failure as libc has it. */
  call(signature: string, ...args: unknown[]): number {
    return Number(this.#function(signature)(...args));
  }

  /** The same in another thread, for calls that wait; of a failure nothing but -1 is known. */
  async callAside(signature: string, ...args: unknown[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#function(signature).async(...args, (error: Error | null, result: number | bigint) =>
        error ? reject(error) : resolve(Number(result)),
      );
    });
  }

  /** Where a buffer lies, for structures that point to it: right for as long as it is referred to. */
  addressOf(buffer: Uint8Array): bigint {
    return this.#koffi.address(buffer);
  }

  /** errno of the last call. */
  errno(): number {
    return this.#koffi.errno();
  }
}
