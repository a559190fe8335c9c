/**
 * `npm run bench -- startup`: what each verb of each program loads, module by module, and what of it that verb does not
 * use. The bundles are built once more, with the modules' names in them; each verb is run for real, in a private host:
 * once to see what is called, once to make a code cache, then for the times. Names make the bundles larger than the
 * executable's: times are for comparing modules.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../cli/build/bundle.ts';
import { NODE_FLAGS } from '../../cli/build/flags.ts';
import { NODE, START, STAGES } from '../../cli/build/paths.ts';
import { oneShotChain } from './chains.ts';
import { Contender } from './contender.ts';
import { median, table } from './figures.ts';
import type { Section } from './figures.ts';
import { startsOf } from './starts.ts';
import type { Start } from './starts.ts';
import type { Mode, Trace } from './trace.ts';

const ROUNDS = 10;
const TRACE = fileURLToPath(new URL('trace.ts', import.meta.url));

/** The bundler's helpers that evaluate a module when it is first wanted; they know its name. */
const HELPERS = ['__esm', '__commonJS'];

function traced(text: string): string {
  return HELPERS.reduce(
    (result, helper) =>
      result.replace(
        `var ${helper} = `,
        `var ${helper} = (fn, made) => {
  const name = Object.getOwnPropertyNames(fn)[0], init = ${helper}0(fn, made);
  let begun = false;
  return () => begun ? init() : (begun = true, globalThis.netmoorTrace(name, init));
};
var ${helper}0 = `,
      ),
    text,
  );
}

export async function makeBundles(directory: string): Promise<void> {
  await bundle({ minify: false, place: (file) => join(directory, basename(file)) });
  for (const file of [START, ...STAGES.map(({ source }) => source)]) {
    const path = join(directory, basename(file));
    writeFileSync(path, traced(readFileSync(path, 'utf8')));
  }
}

/** Runs a verb under trace.ts; what comes before and after it is done as usual. */
async function traceOnce(contender: Contender, start: Start, directory: string, mode: Mode): Promise<Trace> {
  const report = join(directory, 'trace.json');
  await start.run(contender, (step) => {
    const [file = '', ...args] = step.argv;
    return {
      ...step,
      argv: [NODE, ...NODE_FLAGS, TRACE, directory, mode, report, basename(file), ...args],
    };
  });
  return JSON.parse(readFileSync(report, 'utf8')) as Trace;
}

interface Loaded {
  readonly name: string;
  readonly time: number;
  readonly idle: boolean;
}

interface Found {
  readonly start: Start;
  readonly compile: number;
  readonly loaded: readonly Loaded[];
}

async function traceStart(
  contender: Contender,
  start: Start,
  directory: string,
  rounds: number,
): Promise<Found> {
  const { idle } = await traceOnce(contender, start, directory, 'called');
  await traceOnce(contender, start, directory, 'cache');
  const traces: Trace[] = [];
  for (let i = 0; i < rounds; i++) traces.push(await traceOnce(contender, start, directory, 'measure'));
  const names = Object.keys(traces[0]?.modules ?? {});
  const loaded = names.map((name) => ({
    name,
    time: median(traces.map(({ modules }) => modules[name] ?? 0)),
    idle: idle.includes(name),
  }));
  const compile = median(traces.map((trace) => trace.compile));
  return { start, compile, loaded: loaded.toSorted((a, b) => b.time - a.time) };
}

function sum(loaded: readonly Loaded[]): number {
  return loaded.reduce((total, { time }) => total + time, 0);
}

/** What is no module of ours: Node.js, the first stage, reading the second. */
const isGround = ({ name }: Loaded): boolean =>
  name.startsWith('node:') || name.startsWith('second-stage:') || name === 'the first stage';

/** The dearest of what a verb loads and calls nothing of: constants and errors of it may be used all the same. */
const DEAREST = 6;

function summary(found: readonly Found[]): string {
  const rows = found.map(({ start, compile, loaded }) => {
    const idle = loaded.filter((module) => module.idle);
    const own = loaded.filter((module) => !isGround(module));
    return [
      start.what,
      ...[compile, sum(loaded.filter(isGround)), sum(own)].map((time) => time.toFixed(2)),
      String(own.length),
      `${idle.length} (${sum(idle).toFixed(2)})`,
    ];
  });
  const head = [
    'ms, medians',
    'compile',
    'Node.js and first stage',
    'modules',
    'how many',
    'nothing called of',
  ];
  return table([head, ...rows]);
}

function needless({ start, loaded }: Found): string {
  const idle = loaded.filter((module) => module.idle).slice(0, DEAREST);
  return `  ${start.what}: ${idle.map(({ name, time }) => `${name} ${time.toFixed(3)}`).join(', ')}`;
}

function listing({ start, loaded }: Found): string {
  const rows = loaded.map(({ name, time, idle }) => [
    `  ${name}`,
    time.toFixed(3),
    idle ? 'nothing of it was called' : '',
  ]);
  return `${start.what}\n${table([['  module', 'ms', ''], ...rows])}`;
}

/** At most so many rounds; `states` is a directory on a real disk. */
export async function measureStartup(states: string, most: number): Promise<Section> {
  const directory = join(states, 'bundles');
  mkdirSync(directory);
  await makeBundles(directory);
  const contender = await Contender.start(oneShotChain, join(states, 'of-startup'));
  try {
    const found: Found[] = [];
    for (const start of startsOf())
      found.push(await traceStart(contender, start, directory, Math.min(ROUNDS, most)));
    const dearest = `loaded, and nothing of it called: the dearest\n${found.map(needless).join('\n')}`;
    return { rows: [], notes: [summary(found), dearest], details: found.map(listing) };
  } finally {
    await contender.close();
  }
}
