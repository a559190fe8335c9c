/**
 * Runs test tiers, `npm test`:   node test/run.ts [--long] [tier | file]...
 *
 * Tiers also tell how much of the sources they covered (see coverage.ts).
 *
 * With --long the storm of the tier attack has 2,000 operations instead of a few hundred, and the DHCP decoders and
 * clients of the tier fuzz get a million inputs instead of 10,000.
 *
 * A tier is a folder of *.test.ts files; `check` is the tier that looks at the sources. All tiers without arguments.
 * The last line has the counts; the exit status is 1 when a test failed or a tier ran nothing.
 */
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { checkSources } from '../.ci/check.ts';
import { errorText } from '../lib/base/errors.ts';
import { reportCoverage, startCounting } from './coverage.ts';
import { endAll, runFile } from './run-file.ts';
import type { Counts, FileResult } from './run-file.ts';
import { runAll } from './schedule.ts';
import type { Task } from './schedule.ts';
import { watchTraces } from './traces.ts';

const TESTS = import.meta.dirname;
const ROOT = resolve(TESTS, '..');

/** In the order in which they are most worth knowing. */
const TIERS = ['unit', 'golden', 'kernel', 'dhcp', 'runtime', 'crash', 'attack', 'fuzz'];

/** Container runtimes share the machine's cgroups: one file at a time, beside those of other tiers. */
const ONE_AT_A_TIME = new Set(['runtime']);

/**
 * Files at a time for each processor, where they mostly wait: for leases to run out, for answers that are not to come.
 * A file of the tier dhcp takes a quarter to a third of a processor.
 */
const AT_A_TIME: Readonly<Record<string, number>> = {
  dhcp: 2,
  kernel: 1.5,
  runtime: 1.5,
  crash: 1.5,
  attack: 1.5,
};

/** These run the sources in their own processes. */
const COUNTED = new Set(['unit', 'golden', 'kernel', 'dhcp', 'crash', 'attack', 'fuzz']);

/** The files of these run no private host, but all on the machine itself. */
const ON_MACHINE = new Set(['unit', 'golden', 'fuzz']);

interface Selection {
  readonly tier: string;
  readonly files: readonly string[];
}

function filesOf(tier: string): string[] {
  return globSync('**/*.test.ts', { cwd: `${TESTS}/${tier}` })
    .sort()
    .map((file) => `test/${tier}/${file}`);
}

function tierOf(argument: string): Selection {
  if (argument === 'check') return { tier: 'check', files: [] };
  if (TIERS.includes(argument)) return { tier: argument, files: filesOf(argument) };
  if (existsSync(argument) && argument.endsWith('.test.ts')) {
    return { tier: argument, files: [relative(ROOT, resolve(argument))] };
  }
  throw new Error(`${argument} is neither a test file nor one of ${['check', ...TIERS].join(', ')}`);
}

function everything(): Selection[] {
  const tiers = TIERS.filter((tier) => existsSync(`${TESTS}/${tier}`));
  return ['check', ...tiers].map(tierOf);
}

function report({ file, passed, failed, skipped, reasons, seconds, output }: FileResult): void {
  const counts = [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`].filter(
    Boolean,
  );
  console.log(`${failed ? 'FAIL' : 'ok  '} ${file}  ${counts.join(', ')}  ${seconds.toFixed(1)} s`);
  for (const reason of reasons) console.log(`     skipped: ${reason}`);
  if (output) console.log(output);
}

function sum(results: readonly Counts[]): Counts {
  const add = (key: keyof Counts): number => results.reduce((total, result) => total + result[key], 0);
  return { passed: add('passed'), failed: add('failed'), skipped: add('skipped') };
}

async function check(): Promise<Counts[]> {
  const findings = await checkSources();
  for (const { check, ok, output } of findings)
    console.log(ok ? `ok   ${check}` : `FAIL ${check}\n${output}`);
  return findings.map(({ ok }) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }));
}

function isOnMachine(file: string): boolean {
  return ON_MACHINE.has(file.split('/')[1] ?? '');
}

/** What there is to do for a tier; `counts` is told what became of each. */
function tasksOf({ tier, files }: Selection, counts: (counts: Counts) => void): Task[] {
  let begun = false;
  const begin = (): void => {
    if (!begun) console.log(`\n# ${tier}`);
    begun = true;
  };
  const share = 1 / (AT_A_TIME[tier] ?? 1);
  const run = (each: () => Promise<Counts[]>): Task => ({
    share,
    ...(ONE_AT_A_TIME.has(tier) && { alone: tier }),
    run: async () => {
      begin();
      for (const result of await each()) counts(result);
    },
  });
  if (tier === 'check') return [run(check)];
  return files.map((file) =>
    run(async () => {
      const result = await runFile(file, { counted: COUNTED.has(tier), onMachine: isOnMachine(file) });
      report(result);
      return [result];
    }),
  );
}

/** All tiers; their files are told in the order in which they end. */
async function runTiers(selections: readonly Selection[]): Promise<Counts[]> {
  const results = selections.map((): Counts[] => []);
  const tasks = selections.map((selection, index) =>
    tasksOf(selection, (counts) => results[index]?.push(counts)),
  );
  await runAll(tasks.flat(), availableParallelism());
  return selections.map(({ tier }, index) => {
    const counts = sum(results[index] ?? []);
    if (counts.passed + counts.failed > 0) return counts;
    console.log(`FAIL ${tier}: nothing ran`);
    return { ...counts, failed: 1 };
  });
}

function tellCoverage(): Counts {
  try {
    console.log(`\n# coverage\n${reportCoverage()}`);
    return { passed: 0, failed: 0, skipped: 0 };
  } catch (error) {
    console.log(`\nFAIL coverage: ${errorText(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** A machine that is as before counts as one test passed. */
function tellTraces(traces: readonly string[]): Counts {
  for (const trace of traces) console.log(`\nFAIL left on the machine: ${trace}`);
  const failed = traces.length > 0;
  return { passed: failed ? 0 : 1, failed: failed ? 1 : 0, skipped: 0 };
}

process.chdir(ROOT);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    endAll();
    process.exit(1);
  });
}

const words = process.argv.slice(2).filter((word) => word !== '--long');
if (process.argv.includes('--long')) process.env['ATTACK_LONG'] = '1';
const selections = words.length > 0 ? words.map(tierOf) : everything();
const results: Counts[] = [];
const counted = selections.some(({ tier }) => COUNTED.has(tier));
if (counted) startCounting();
const newTraces = watchTraces();
results.push(...(await runTiers(selections)));
if (counted) results.push(tellCoverage());
results.push(tellTraces(newTraces()));
const { passed, failed, skipped } = sum(results);
console.log(
  `\n# { total: ${passed + failed + skipped}, pass: ${passed}, fail: ${failed}, skip: ${skipped} }`,
);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
