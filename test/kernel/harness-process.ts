/**
 * Child processes for the tests: one that runs to its end, one that stays.
 *
 * To end one, what it started is killed, and the process itself ends as a consequence. It is mostly `nsenter --pid`:
 * were that killed together with the command inside, the command would be left to process 1 of the machine to reap,
 * which may be slow at it or never do it, and until it is reaped the PID namespace cannot go away.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

export interface Outcome {
  /** The exit status; 128 plus the signal's number is not used: a killed process has -1 and `signal`. */
  readonly code: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** The whole environment; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

/** What every process here starts with: a plain root shell's search path. */
export const plainEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C',
};

const DEFAULT_DEADLINE_MS = 30_000;

function start(argv: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('no command given');
  return spawn(file, args, { detached: true, env, stdio: 'pipe' });
}

/** The processes below `pid`, by proc(5) `children`. */
function descendants(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === ''
      ? []
      : children
          .split(' ')
          .map(Number)
          .flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}

function kill(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  const below = descendants(child.pid);
  for (const pid of below.length > 0 ? below : [child.pid]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Gathers a stream as text, as it comes. */
function gather(stream: NodeJS.ReadableStream | null): { text: () => string } {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { text: () => Buffer.concat(chunks).toString('utf8') };
}

/** Runs a command to its end; throws when it cannot be started or outlives its deadline (it is killed then). */
export async function runProcess(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = start(argv, options.env ?? plainEnvironment);
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill(child);
  }, options.deadlineMs ?? DEFAULT_DEADLINE_MS);
  // A process that ends without reading its input breaks the pipe: that is its business.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (late)
      throw new Error(`still running at its deadline: ${argv.join(' ')}\n${stdout.text()}${stderr.text()}`);
    return { code: code ?? -1, stdout: stdout.text(), stderr: stderr.text(), ...(signal ? { signal } : {}) };
  } finally {
    clearTimeout(timer);
  }
}

/** A process that stays until stopped. `output` and `errors` grow as it writes. */
export class Background {
  readonly child: ChildProcess;
  readonly #title: string;
  readonly #stdout: { text: () => string };
  readonly #stderr: { text: () => string };
  readonly #closed: Promise<unknown>;
  #ended = false;

  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = plainEnvironment) {
    this.child = start(argv, env);
    this.#title = argv.join(' ').slice(0, 300);
    this.#stdout = gather(this.child.stdout);
    this.#stderr = gather(this.child.stderr);
    this.child.stdin?.on('error', () => {});
    this.#closed = new Promise<void>((resolve) => {
      const end = () => {
        this.#ended = true;
        resolve();
      };
      this.child.once('close', end);
      this.child.once('error', end);
    });
  }

  get output(): string {
    return this.#stdout.text();
  }

  get errors(): string {
    return this.#stderr.text();
  }

  get ended(): boolean {
    return this.#ended;
  }

  write(text: string | Uint8Array): void {
    this.child.stdin?.write(text);
  }

  /**
   * Resolves once `seen()` holds; it is asked again whenever the process writes. Throws at the deadline and when it
   * ends first.
   */
  async until(seen: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
    const holds = await this.#watch(seen, deadlineMs);
    if (!holds) throw new Error(`${this.#title}: no ${what}\n${this.output}${this.errors}`);
  }

  /** As `until`, but answers false instead of throwing. */
  async #watch(seen: () => boolean, deadlineMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (seen()) resolve();
    };
    const timer = setTimeout(resolve, deadlineMs);
    this.child.stdout?.on('data', look);
    this.child.stderr?.on('data', look);
    look();
    await Promise.race([promise, this.#closed]);
    clearTimeout(timer);
    this.child.stdout?.off('data', look);
    this.child.stderr?.off('data', look);
    return seen();
  }

  /** True once the process wrote a whole line beyond `from` characters; false at the deadline or its end. */
  async line(from: number, deadlineMs: number): Promise<boolean> {
    return this.#watch(() => this.output.indexOf('\n', from) >= 0, deadlineMs);
  }

  /** Resolves when the process has ended by itself. */
  async end(): Promise<void> {
    await this.#closed;
  }

  async stop(): Promise<void> {
    kill(this.child);
    await this.#closed;
  }
}
