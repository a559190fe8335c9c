/** Starting store-worker.ts and listening to it. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export class Worker {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #waiting: (() => void)[] = [];

  constructor(program: string, verb: 'once' | 'loop', dir: string) {
    // Without the test runner's own hooks: what runs is what a plugin would run.
    const { NODE_OPTIONS: _, ...env } = process.env;
    this.#child = spawn(process.execPath, [program, verb, dir], { stdio: ['pipe', 'pipe', 'pipe'], env });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts);
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.errors.push(text));
    this.ended = once(this.#child, 'close').then(([code]) => {
      this.#wake();
      return code;
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves with the first line so far or to come; rejects when the worker ends without one. */
  async line(index: number): Promise<string> {
    for (;;) {
      const line = this.lines[index];
      if (line !== undefined) return line;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await this.ended;
        const late = this.lines[index];
        if (late !== undefined) return late;
        throw new Error(`the worker ended without a line ${index}: ${this.errors.join('')}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Ends its stdin: the sign to start for `once`. */
  go(): void {
    this.#child.stdin?.end();
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
