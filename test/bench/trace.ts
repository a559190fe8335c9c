/**
 * One start of a program, module by module: run by startup.ts, in place of the executable and with its environment and
 * input.
 *
 *   node trace.ts DIRECTORY MODE REPORT PROGRAM [ARGUMENT...]
 *
 * DIRECTORY has the bundles with the modules' names in them (startup.ts). MODE is `called` (which modules have anything
 * called of them), `cache` (writes code caches of what has run) or `measure` (with those). The report is written when
 * the process ends.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import vm from 'node:vm';
import type { ScriptOptions } from 'node:vm';
import { WRAPPER } from '../../cli/build/evaluate.ts';
import { BIN, KOFFI } from '../../cli/build/paths.ts';

export type Mode = 'called' | 'cache' | 'measure';

export interface Trace {
  /** Milliseconds of compiling the bundles, and of each module and builtin without what it loads itself. */
  readonly compile: number;
  readonly modules: Readonly<Record<string, number>>;
  /** From the first stage's start to the end. */
  readonly total: number;
  /** With `called`: modules that have functions, and none of them was called. */
  readonly idle: readonly string[];
}

const [, , directory = '', mode = '', report = '', program = '', ...words] = process.argv;

const modules: Record<string, number> = {};
const scripts: { readonly script: vm.Script; readonly file: string }[] = [];
/** What the modules that are being evaluated have loaded so far, in milliseconds; the innermost last. */
const within: number[] = [];
let compile = 0;

function measure<T>(name: string, load: () => T): T {
  const start = performance.now();
  within.push(0);
  try {
    return load();
  } finally {
    const time = performance.now() - start;
    const inner = within.pop() ?? 0;
    within.push((within.pop() ?? 0) + time);
    modules[name] = (modules[name] ?? 0) + time - inner;
  }
}

/** Called by the bundles (see startup.ts) when a module is first wanted. */
Object.assign(globalThis, { netmoorTrace: measure });

function fileOf(asset: string): string {
  return join(directory, asset);
}

const sea = {
  isSea: () => true,
  getAsset: () => 'traced',
  getRawAsset: (name: string): ArrayBuffer => {
    const file = name.startsWith('koffi') ? KOFFI : fileOf(name);
    return new Uint8Array(existsSync(file) ? readFileSync(file) : []).buffer;
  },
};

/** Compiles as the second stage asks for it, but without a cache that is not there. */
class Script extends vm.Script {
  constructor(source: string, { cachedData, ...options }: ScriptOptions = {}) {
    const start = performance.now();
    const cache = mode === 'measure' && cachedData && cachedData.byteLength > 0 ? { cachedData } : {};
    super(source, { ...options, ...cache });
    const time = performance.now() - start;
    compile += time;
    within.push((within.pop() ?? 0) + time);
    if (mode === 'measure' && this.cachedDataRejected !== false) throw new Error('V8 refused the code cache');
    if (mode !== 'measure')
      scripts.push({ script: this, file: options.filename === START ? START : nameOf(source) });
  }
}

const START = 'start.cjs';

/** The second stage whose text this is. */
function nameOf(source: string): string {
  const stages = ['bridge-nat', 'macvlan-v6', 'programs'];
  return (
    stages.map((name) => `${name}.js`).find((name) => readFileSync(fileOf(name)).length === source.length) ??
    ''
  );
}

const builtin = process.getBuiltinModule.bind(process) as (name: string) => unknown;
const seen = new Set<string>();

function load(name: string): unknown {
  if (name === 'node:sea') return sea;
  if (name === 'node:vm' || name === 'vm') return { ...vm, Script };
  if (seen.has(name)) return builtin(name);
  seen.add(name);
  return measure(name, () => builtin(name));
}

interface Range {
  readonly startOffset: number;
  readonly count: number;
}

/** Functions with the number of their calls, by where they begin in the bundle. */
function calls(session: Session): { readonly file: string; readonly functions: readonly Range[] }[] {
  const found: { file: string; functions: Range[] }[] = [];
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error) throw error;
    for (const { url, functions } of taken.result) {
      if (!['netmoor:programs', START].includes(url)) continue;
      const ranges = functions
        .filter(({ functionName }) => functionName !== '')
        .map(({ ranges: [all] }) => all);
      found.push({ file: url, functions: ranges.filter((range) => range !== undefined) });
    }
  });
  return found;
}

/** Of those that were evaluated, modules with functions of which none was called. */
function idleModules(session: Session): string[] {
  const stage = scripts.find(({ file }) => file !== START)?.file;
  if (stage === undefined) return [];
  const text = readFileSync(fileOf(stage), 'latin1');
  const starts = [...text.matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)].map(({ index, 1: name = '' }) => ({
    index,
    name,
  }));
  const called = new Map<string, boolean>();
  for (const { functions } of calls(session).filter(({ file }) => file !== START))
    for (const { startOffset, count } of functions) {
      const name = starts.findLast(({ index }) => index < startOffset)?.name ?? '';
      // The module's own evaluation is a function named after it.
      if (text.startsWith(`"${name}"(`, startOffset)) continue;
      called.set(name, (called.get(name) ?? false) || count > 0);
    }
  return [...called].filter(([name, was]) => !was && name in modules).map(([name]) => name);
}

function start(): void {
  const session = new Session();
  if (mode === 'called') {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }
  const begun = performance.now();
  process.on('exit', () => {
    const total = performance.now() - begun;
    if (mode === 'cache')
      for (const { script, file } of scripts)
        writeFileSync(fileOf(file.replace(/\.c?js$/, '.cache')), script.createCachedData());
    const idle = mode === 'called' ? idleModules(session) : [];
    writeFileSync(report, JSON.stringify({ compile, modules, total, idle } satisfies Trace));
  });
  // argv0 cannot be changed, and names no program: the file that runs is asked for next (cli/main.ts).
  process.execPath = join(BIN, program);
  process.argv = [process.execPath, process.execPath, ...words];
  process.getBuiltinModule = load as typeof process.getBuiltinModule;
  const text = WRAPPER.join(`${readFileSync(fileOf(START), 'utf8')}\n`);
  const cachedData = mode === 'measure' ? readFileSync(fileOf('start.cache')) : undefined;
  const script = new Script(text, { filename: START, ...(cachedData && { cachedData }) });
  measure('the first stage', () => script.runInThisContext()({}, load, { exports: {} }, START, '/'));
}

start();
