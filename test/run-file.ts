/** Runs one test file as a process of its own and reads its TAP (TAP version 14) as it comes. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Parser } from 'tap-parser';
import type { Result } from 'tap-parser';
import { COUNTED } from './coverage.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface FileResult extends Counts {
  readonly file: string;
  readonly seconds: number;
  /** Why tests were skipped, each reason once. */
  readonly reasons: readonly string[];
  /** What failed, and what the file said beside its TAP; empty when all went well. */
  readonly output: string;
}

/**
 * A file that hangs is ended, by tap first, which says what it waited for. Tests have deadlines of their own, far below
 * this.
 */
const TIME_LIMIT_MS = 8 * 60 * 1000;
const TAP_TIME_LIMIT_S = 7 * 60;
/** With `--long` (run.ts) there is this many times as much. */
const LONG = 10;

function limit(time: number): number {
  return process.env['ATTACK_LONG'] === undefined ? time : LONG * time;
}

/** The diagnostics of a failed assertion (TAP version 14, "YAML Diagnostics"), as tap writes them. */
function describe(diag: unknown): string {
  if (typeof diag !== 'object' || diag === null) return '';
  const lines = Object.entries(diag).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text.includes('\n') ? `${key}:\n${text}` : `${key}: ${text}`;
  });
  return lines.join('\n').replaceAll(/^/gm, '  ');
}

/** Counts assertions; the line that sums up a subtest is none. */
class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly reasons: string[] = [];
  readonly failures: string[] = [];

  follow(parser: Parser): void {
    parser.on('child', (child: Parser) => this.follow(child));
    parser.on('assert', (result: Result) => {
      if (!result.closingTestPoint) this.#count(result);
    });
  }

  #count({ ok, skip, todo, name, fullname, diag }: Result): void {
    if (skip !== false || todo !== false) {
      this.skipped += 1;
      const reason = [skip, todo].find((each) => typeof each === 'string');
      this.reasons.push(typeof reason === 'string' ? reason : name);
    } else if (ok) this.passed += 1;
    else {
      this.failed += 1;
      this.failures.push(`not ok - ${fullname}\n${describe(diag)}`);
    }
  }
}

/** What of our own environment would change how a test runs, or what it measures. */
function testEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_EXTRA_CA_CERTS: _certificates, ...rest } = process.env;
  return { ...rest, TAP: '1', TAP_TIMEOUT: String(limit(TAP_TIME_LIMIT_S)) };
}

/**
 * Runs the command "$@" where what it writes to /run and /var is gone with it: a test that starts our programs on the
 * machine itself leaves their records, native module and log there otherwise. The process id stays.
 */
const ASIDE = `set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/.var /run/.work
mount -t overlay -o lowerdir=/var,upperdir=/run/.var,workdir=/run/.work overlay /var
exec "$@"`;

const STEP_ASIDE = ['--mount', '--propagation', 'private', 'sh', '-c', ASIDE, 'sh'];

/** Found out with the first: others than root may not mount, and what is below /run, or a mount of /var, is hidden. */
let works: boolean | undefined;

function canStepAside(): boolean {
  const look = ['test', '-x', process.execPath, '-a', '-r', import.meta.filename];
  works ??= process.getuid?.() === 0 && spawnSync('unshare', [...STEP_ASIDE, ...look]).status === 0;
  return works;
}

/** Only root's records are where all find them. */
function aside(command: readonly string[]): readonly string[] {
  return canStepAside() ? ['unshare', ...STEP_ASIDE, ...command] : command;
}

export interface How {
  /** What it runs of the sources counts for the coverage. */
  readonly counted?: boolean;
  /** It makes no host of its own (see kernel/harness.ts): the machine's files are to be kept from it. */
  readonly onMachine?: boolean;
}

/** The process groups of the files that run now. */
const running = new Set<number>();

/** Ends every file that runs, and what it started. */
export function endAll(): void {
  for (const group of running) process.kill(-group, 'SIGKILL');
}

/** How the process ended, in words; undefined for success. */
function badEnd(code: number | null, signal: NodeJS.Signals | null, timedOut: boolean): string | undefined {
  if (timedOut) return `ended after ${limit(TIME_LIMIT_MS) / 1000} s`;
  if (signal !== null) return `died of ${signal}`;
  return code === 0 ? undefined : `exit status ${code}`;
}

/** Starts the file in a process group of its own; `ended` says how it ended, undefined for success. */
function start(
  file: string,
  { counted = false, onMachine = false }: How,
): {
  child: ChildProcessByStdio<null, Readable, Readable>;
  ended: Promise<string | undefined>;
} {
  const { args, env } = counted ? COUNTED : { args: [], env: {} };
  const node = [process.execPath, ...args, file];
  const [program = '', ...rest] = onMachine ? aside(node) : node;
  const child = spawn(program, rest, {
    detached: true,
    env: { ...testEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const group = child.pid;
  if (group === undefined) throw new Error(`${file} cannot be started`);
  running.add(group);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    process.kill(-group, 'SIGKILL');
  }, limit(TIME_LIMIT_MS));
  const ended = once(child, 'close').then(([code, signal]) => {
    clearTimeout(timer);
    running.delete(group);
    return badEnd(code, signal, timedOut);
  });
  return { child, ended };
}

export async function runFile(file: string, how: How = {}): Promise<FileResult> {
  const started = performance.now();
  const parser = new Parser();
  const tally = new Tally();
  tally.follow(parser);
  let complaints = '';
  parser.on('extra', (text: string) => {
    complaints += text;
  });
  const { child, ended } = start(file, how);
  child.stdout.setEncoding('utf8').on('data', (text: string) => parser.write(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const end = await ended;
  parser.end();
  const { passed, failed, skipped, reasons, failures } = tally;
  const nothing = passed + failed + skipped === 0;
  const broken = end !== undefined || nothing || !parser.ok;
  const verdict = `# ${file}: ${end ?? (nothing ? 'no test ran' : 'a failed or missing test')}`;
  return {
    file,
    seconds: (performance.now() - started) / 1000,
    passed,
    failed: broken ? Math.max(failed, 1) : failed,
    skipped,
    reasons: [...new Set(reasons)],
    output: broken ? [...failures, complaints.trim(), verdict, ''].join('\n') : '',
  };
}
