/** Evaluates a bundle; the same text and file name for the code cache that is made here and the one that is used. */
import { Script } from 'node:vm';

export interface Evaluated {
  readonly exports: unknown;
  /** V8 refused the code cache, made by another V8 or under other options. */
  readonly rejected: boolean | undefined;
  /** A code cache that contains every function that has run so far. */
  readonly createCachedData: () => Buffer;
}

type Wrapper = (
  exports: unknown,
  require: unknown,
  module: { exports: unknown },
  filename: string,
  dirname: string,
) => void;

/** What stands around a CommonJS module. Part of the bundle's text, which is long to copy at every start. */
export const WRAPPER = ['(function (exports, require, module, __filename, __dirname) {', '})'] as const;

/** What V8 is told that the bundle is called; also in the code cache. */
export const FILENAME = 'netmoor:programs';

/** `bundle` is one function expression (see WRAPPER). */
export function evaluate(bundle: string, cachedData?: Buffer): Evaluated {
  const script = new Script(bundle, { filename: FILENAME, ...(cachedData ? { cachedData } : {}) });
  const module: { exports: unknown } = { exports: {} };
  const require = (name: string): unknown => process.getBuiltinModule(name);
  (script.runInThisContext() as Wrapper)(module.exports, require, module, 'programs.js', '/');
  return {
    exports: module.exports,
    rejected: script.cachedDataRejected,
    createCachedData: () => script.createCachedData(),
  };
}
