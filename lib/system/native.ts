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

type ForeignFunction = (...args: unknown[]) => number | bigint;

interface Koffi {
  load(path: string | null): { func(signature: string): ForeignFunction };
  errno(): number;
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
