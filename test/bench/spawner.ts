/**
 * Starting and timing whole processes inside a private host.
 *
 * `spawnSync` of Node.js itself costs several milliseconds, a good part of what is measured here, and one cost per
 * process would favour whoever starts fewer. So a small Perl program does it: Perl forks in a fraction of a millisecond
 * and is on every Debian machine with git. What remains is printed by the bench as the time of /bin/true, and is in
 * every figure.
 */
import { readFileSync } from 'node:fs';
import type { Background } from '../kernel/harness-process.ts';
import type { Host } from '../kernel/harness.ts';

export interface Step {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Standard input; @PREV@ stands for what the job's first step wrote. */
  readonly input: string;
}

/** Processes that run one after another. */
export type Job = readonly Step[];

export interface Timing {
  /** Which of the batch's jobs this was. */
  readonly job: number;
  /** What a failed step wrote. */
  readonly failure?: string;
  /** Milliseconds of each step. */
  readonly steps: readonly number[];
  /** Milliseconds from the first step's start to the last one's end. */
  readonly total: number;
  /** The first step's start: milliseconds of CLOCK_MONOTONIC. */
  readonly started: number;
  /** What the first step wrote, or the one that failed, in one line. */
  readonly output: string;
}

export interface Batch {
  readonly jobs: readonly Timing[];
  /** Milliseconds until the last job had ended. */
  readonly wall: number;
}

const BATCH_DEADLINE_MS = 600_000;

function encode(workers: number, jobs: readonly Job[]): Buffer {
  const counted = (words: readonly string[]) => [words.length, ...words];
  const fields = [
    workers,
    jobs.length,
    ...jobs.flatMap((job) => [
      job.length,
      ...job.flatMap((step) => [
        ...counted(step.argv),
        ...counted(Object.entries(step.environment).map(([name, value]) => `${name}=${value}`)),
        step.input,
      ]),
    ]),
  ];
  return Buffer.from(fields.join('\0'));
}

export class Spawner {
  readonly #perl: Background;
  #read = 0;

  constructor(host: Host) {
    const program = readFileSync(new URL('spawner.pl', import.meta.url), 'utf8');
    this.#perl = host.start(['perl', '-e', program]);
  }

  /** Runs jobs, so many at a time; in the order in which they end, failed ones too. */
  async run(workers: number, jobs: readonly Job[]): Promise<Batch> {
    const batch = encode(workers, jobs);
    const answer = () => this.#perl.output.slice(this.#read);
    this.#perl.write(`${batch.length}\n`);
    this.#perl.write(batch);
    await this.#perl.until(() => /^end\t\d+\n/m.test(answer()), 'end of the batch', BATCH_DEADLINE_MS);
    const lines = answer().trim().split('\n');
    this.#read = this.#perl.output.length;
    const wall = Number(lines.pop()?.split('\t')[1]) / 1000;
    return { jobs: lines.map(parseTiming), wall };
  }

  /** Runs one job; throws when it failed. */
  async time(job: Job): Promise<Timing> {
    const [timing] = (await this.run(1, [job])).jobs;
    if (timing === undefined) throw new Error('the spawner answered nothing');
    if (timing.failure !== undefined) throw new Error(`a measured process failed: ${timing.failure}`);
    return timing;
  }

  async close(): Promise<void> {
    await this.#perl.stop();
  }
}

function parseTiming(line: string): Timing {
  const [job, code, steps = '', total, started, output = ''] = line.split('\t');
  const milliseconds = (time: string | undefined) => Number(time) / 1000;
  return {
    job: Number(job),
    ...(code !== '0' && { failure: output }),
    steps: steps.split(',').map(milliseconds),
    total: milliseconds(total),
    started: milliseconds(started),
    output,
  };
}
