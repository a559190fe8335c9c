/**
 * The way to libc: koffi's prebuilt N-API module, loaded as a file without its JavaScript wrapper (which costs 10 ms at
 * start). From source the file lies in node_modules; the single executable carries it as an asset (see
 * native-asset.ts). Functions are called through a few instructions of our own, for the sake of errno
 * (machine-code.ts).
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetmoorError } from '../base/errors.ts';
import { invokeCode } from './machine-code.ts';
import { loadAsset, loadModule } from './native-asset.ts';
import type { Assets } from './native-asset.ts';

interface ForeignFunction {
  (...args: unknown[]): number | bigint;
  /** Runs in a thread of libuv's pool. */
  async(...args: [...unknown[], (error: Error | null, result: number | bigint) => void]): void;
}

/** A prototype that koffi knows. */
type Prototype = object;

interface Library {
  func(signature: string): ForeignFunction;
  symbol(name: string): bigint;
}

interface Koffi {
  load(path: string | null): Library;
  proto(signature: string): Prototype;
  decode(address: bigint, prototype: Prototype): ForeignFunction;
  address(buffer: Uint8Array): bigint;
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const PAGE = 4096;

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

/** Where the code of invoke() lies from now on (machine-code.ts): memory is written or run, never both. */
function layDownInvoke(library: Library): bigint {
  const mmap = library.func('int64_t mmap(int64_t, size_t, int, int, int, int64_t)');
  const memcpy = library.func('int64_t memcpy(int64_t, const void *, size_t)');
  const mprotect = library.func('int mprotect(int64_t, size_t, int)');
  const code = invokeCode(library.symbol('__errno_location'));
  const address = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (Number(address) !== -1) {
    memcpy(address, code, code.length);
    if (mprotect(address, PAGE, PROT_READ | PROT_EXEC) === 0) return BigInt(address);
  }
  throw new NetmoorError('internal', 'there is no memory for code', 'give netmoor more of it');
}

/** A function of libc's, by its address, and what calls it. */
interface Bound {
  readonly invoke: ForeignFunction;
  readonly symbol: bigint;
}

/** libc, each function bound when first called; a thread loads it at most once. */
export class Libc {
  static #shared: Libc | undefined;
  static #inherited: bigint | undefined;
  readonly #koffi: Koffi;
  readonly #library: Library;
  /** Where what it calls through lies, for other threads of the process. */
  readonly code: bigint;
  readonly #functions = new Map<string, Bound>();

  private constructor() {
    this.#koffi = loadKoffi();
    this.#library = this.#koffi.load(null);
    this.code = Libc.#inherited ?? layDownInvoke(this.#library);
  }

  static get(): Libc {
    Libc.#shared ??= new Libc();
    return Libc.#shared;
  }

  /** From a thread that stays: each that laid down its own would leave it behind. To be called before get(). */
  static inherit(code: bigint): void {
    Libc.#inherited = code;
  }

  #bound(signature: string): Bound {
    let bound = this.#functions.get(signature);
    if (bound === undefined) {
      const [, result, name = '', parameters] = /^(\w+) (\w+)\((.*)\)$/.exec(signature) ?? [];
      const prototype = this.#koffi.proto(`${result} (uintptr_t, ${parameters})`);
      bound = {
        invoke: this.#koffi.decode(this.code, prototype),
        symbol: this.#library.symbol(name),
      };
      this.#functions.set(signature, bound);
    }
    return bound;
  }

  /** Calls `signature` (a C prototype). The result as a number; of a failure, errno as a negative one. */
  call(signature: string, ...args: unknown[]): number {
    const { invoke, symbol } = this.#bound(signature);
    return Number(invoke(symbol, ...args));
  }

  /** The same in another thread, for calls that wait. */
  async callAside(signature: string, ...args: unknown[]): Promise<number> {
    const { invoke, symbol } = this.#bound(signature);
    return new Promise((resolve, reject) => {
      invoke.async(symbol, ...args, (error: Error | null, result: number | bigint) =>
        error ? reject(error) : resolve(Number(result)),
      );
    });
  }

  /** Where a buffer lies, for structures that point to it: right for as long as it is referred to. */
  addressOf(buffer: Uint8Array): bigint {
    return this.#koffi.address(buffer);
  }
}
