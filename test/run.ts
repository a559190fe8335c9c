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
import { watchTraces } from './traces.ts';

const TESTS = import.meta.dirname;
const ROOT = resolve(TESTS, '..');

/** In the order in which they are most worth knowing. */
const TIERS = ['unit', 'golden', 'kernel', 'dhcp', 'runtime', 'crash', 'attack', 'fuzz'];

/** Container runtimes share the machine's cgroups: one file at a time, which leaves a processor to another tier. */
const ONE_AT_A_TIME = new Set(['runtime']);

/** Tiers that run at the same time, in the order of TIERS: the first is one of those. */
const BESIDE: Readonly<Record<string, string>> = { runtime: 'crash' };

/**
 * Files at a time for each processor, where they mostly wait: for leases to run out, for answers that are not to come.
 * A file of the tier dhcp takes a quarter to a third of a processor.
 */
const AT_A_TIME: Readonly<Record<string, number>> = { dhcp: 2, kernel: 1.5, attack: 1.5 };

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

async function runFiles(files: readonly string[], jobs: number, counted: boolean): Promise<Counts[]> {
  const left = [...files];
  const results: Counts[] = [];
  const work = async (): Promise<void> => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const result = await runFile(file, { counted, onMachine: isOnMachine(file) });
      report(result);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}

function jobsFor(tier: string, isAlone: boolean): number {
  if (ONE_AT_A_TIME.has(tier)) return 1;
  const processors = isAlone ? availableParallelism() : Math.max(1, availableParallelism() - 1);
  return Math.ceil(processors * (AT_A_TIME[tier] ?? 1));
}

async function runTier({ tier, files }: Selection, isAlone: boolean): Promise<Counts> {
  const jobs = jobsFor(tier, isAlone);
  const counts = sum(tier === 'check' ? await check() : await runFiles(files, jobs, COUNTED.has(tier)));
  if (counts.passed + counts.failed > 0) return counts;
  console.log(`FAIL ${tier}: nothing ran`);
  return { ...counts, failed: 1 };
}

/** One tier, or two that run at the same time; their files are told in the order in which they end. */
async function runGroup(group: readonly Selection[]): Promise<Counts[]> {
  console.log(`\n# ${group.map(({ tier }) => tier).join(', ')}`);
  return Promise.all(group.map(async (selection) => runTier(selection, group.length === 1)));
}

function inGroups(selections: readonly Selection[]): Selection[][] {
  const groups: Selection[][] = [];
  for (const selection of selections) {
    const before = groups.at(-1);
    if (before?.length === 1 && BESIDE[before[0]?.tier ?? ''] === selection.tier) before.push(selection);
    else groups.push([selection]);
  }
  return groups;
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
for (const group of inGroups(selections)) results.push(...(await runGroup(group)));
if (counted) results.push(tellCoverage());
results.push(tellTraces(newTraces()));
const { passed, failed, skipped } = sum(results);
console.log(
  `\n# { total: ${passed + failed + skipped}, pass: ${passed}, fail: ${failed}, skip: ${skipped} }`,
);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
