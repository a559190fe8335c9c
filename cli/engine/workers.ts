/**
 * The threads that do what has to wait. One works at a time, as long as it comes on: the kernel changes links and rules
 * for one after the other (RTNL, the mutex of nftables) and the store has one writer, so that two would mostly wait
 * for each other, and every further thread begins with code that is not compiled yet. Where one does wait, for a DHCP
 * server or the kernel, another takes over: threads are started when they are needed, up to a number, and ended when
 * they have had nothing to do for a while.
 */
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import type { FromWorker, Job, Outcome, ToWorker } from './jobs.ts';
import type { Lane } from './programs.ts';
import { leaveCode } from './shared-code.ts';
import { threadBegins } from './tiering.ts';

export interface PoolOptions {
  /** Threads at most. */
  readonly most: number;
  /** The same, while those that there are all wait for something: others need not wait for it, too. */
  readonly mostStuck?: number;
  /** Milliseconds. */
  readonly idle: number;
  readonly start: () => Worker;
  /** The last thread has ended of those that do not stay. */
  readonly empty?: () => void;
  /** Threads that are there from the beginning, and stay. */
  readonly least?: number;
  /** Jobs of the same word may be given to one thread at the same time. */
  readonly together?: (job: Job) => string | undefined;
}

/** What becomes of a job whose thread has died over it: nobody knows how far it came. */
export class ThreadLost extends NetmoorError {
  constructor(why: string) {
    super('internal', `a thread of the engine failed: ${why}`, 'please report it');
  }
}

/** What becomes of a job that nobody waits for when a thread is to take it up. */
export class NotWanted extends Error {
  constructor() {
    super('nobody waits for it any more');
    this.name = 'NotWanted';
  }
}

/** Jobs of one thread at the same time. */
const MOST_TOGETHER = 32;

/** Milliseconds after which who is still at work is taken to wait for something. */
const PATIENCE = 100;
/** The same where that would take more threads than there mostly are. */
const STUCK = 1_000;

interface Waiting {
  readonly job: Job;
  /** What PoolOptions.together says of it. */
  readonly word: string | undefined;
  readonly wanted: () => boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** What it works on, by its place; empty while it starts and while it has nothing to do. */
  readonly current: Map<number, Waiting>;
  /** When it was given that: performance.now(). */
  began: number;
  ready: boolean;
  idle: NodeJS.Timeout | undefined;
}

function isWanted({ wanted, reject }: Waiting): boolean {
  const begins = wanted();
  if (!begins) reject(new NotWanted());
  return begins;
}

/** A thread of a lane; its code is a bundle in the single executable, else the source. */
export function startWorker(lane: Lane, source = 'worker-main.ts'): Worker {
  const sea = process.getBuiltinModule('node:sea');
  const options = {
    argv: [],
    workerData: lane,
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
    // Descriptors that libc gave us are not Node's to watch.
    trackUnmanagedFds: false,
    // A third of it is what is filled between two collections: a few requests, so that few end in the middle of one,
    // and take what it is just using for what will stay.
    resourceLimits: { maxYoungGenerationSizeMb: 24, maxOldGenerationSizeMb: 256 },
  };
  leaveCode();
  const hasBegun = threadBegins();
  let worker: Worker;
  try {
    worker = sea.isSea()
      ? new Worker(sea.getAsset('worker-main.js', 'latin1'), { ...options, eval: true })
      : new Worker(resolve(import.meta.dirname, source), options);
  } catch (error) {
    hasBegun();
    throw error;
  }
  // Nothing of ours prints; what Node.js itself has to say must not fill a buffer.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker.once('message', hasBegun).once('exit', hasBegun);
}

export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Waiting[] = [];
  readonly #drained: (() => void)[] = [];
  #impatience: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let count = 0; count < (options.least ?? 0); count++) this.#grow();
  }

  get size(): number {
    return this.#threads.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * `wanted` is asked when a thread takes it up. Rejects with ThreadLost when the thread dies over it, with NotWanted
   * when it was not begun.
   */
  async run(job: Job, wanted = (): boolean => true): Promise<Outcome> {
    if (this.#stopped) throw new NetmoorError('try-again', 'the engine is stopping', 'try again');
    const word = this.#options.together?.(job);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, word, wanted, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    clearTimeout(this.#impatience);
    if (this.#waiting.length === 0) return;
    const threads = [...this.#threads];
    const last = Math.max(...threads.map(({ current, began }) => (current.size > 0 ? began : -Infinity)));
    const idle = threads.find(({ ready, current }) => ready && current.size === 0);
    const { most, mostStuck = most } = this.#options;
    const further = idle === undefined && threads.length >= most;
    const wait = last + (further ? STUCK : PATIENCE) - performance.now();
    if (wait > 0) {
      this.#impatience = setTimeout(() => this.#assign(), wait);
      return;
    }
    if (idle !== undefined) {
      this.#give(idle, this.#next().filter(isWanted));
      this.#assign();
      this.#tellDrained();
    } else if (threads.every(({ ready }) => ready) && threads.length < mostStuck) this.#grow();
  }

  /** The next job, and with it those that can be done together with it. */
  #next(): Waiting[] {
    const next = this.#waiting.shift();
    if (next === undefined) return [];
    const { word } = next;
    if (word === undefined) return [next];
    const along = this.#waiting.filter((each) => each.word === word).slice(0, MOST_TOGETHER - 1);
    for (const each of along) this.#waiting.splice(this.#waiting.indexOf(each), 1);
    return [next, ...along];
  }

  #give(thread: Thread, given: readonly Waiting[]): void {
    if (given.length === 0) return;
    clearTimeout(thread.idle);
    thread.began = performance.now();
    given.forEach((each, index) => void thread.current.set(index, each));
    const message: ToWorker = { jobs: given.map(({ job }) => job) };
    thread.worker.postMessage(message);
  }

  #grow(): void {
    let worker: Worker;
    try {
      worker = this.#options.start();
    } catch (error) {
      this.#stunted(errorText(error));
      return;
    }
    const thread: Thread = {
      worker,
      current: new Map(),
      began: 0,
      ready: false,
      idle: undefined,
    };
    this.#threads.add(thread);
    thread.worker.on('message', (message: FromWorker) => this.#heard(thread, message));
    thread.worker.on('error', (error) => this.#lost(thread, errorText(error)));
    thread.worker.on('exit', () => this.#lost(thread, 'it ended'));
    this.#assign();
  }

  /** No further thread can be started (EAGAIN): who waits is left to those that there are. */
  #stunted(why: string): void {
    if (this.#threads.size > 0) this.#impatience = setTimeout(() => this.#assign(), STUCK);
    else for (const given of this.#waiting.splice(0)) given.reject(new ThreadLost(why));
    this.#tellDrained();
  }

  #heard(thread: Thread, message: FromWorker): void {
    if ('ready' in message) thread.ready = true;
    else {
      thread.current.get(message.job)?.resolve(message.done);
      thread.current.delete(message.job);
    }
    this.#assign();
    if (thread.current.size === 0) this.#rest(thread);
    this.#tellDrained();
  }

  #rest(thread: Thread): void {
    clearTimeout(thread.idle);
    const { idle, least = 0 } = this.#options;
    thread.idle = setTimeout(() => {
      if (this.#threads.size > least) this.#end(thread);
    }, idle).unref();
  }

  #end(thread: Thread): void {
    clearTimeout(thread.idle);
    this.#threads.delete(thread);
    void thread.worker.terminate().then(() => {
      if (this.#threads.size <= (this.#options.least ?? 0)) this.#options.empty?.();
    });
  }

  /** A job that its thread died over is answered; one that waits for a thread that cannot start, too. */
  #lost(thread: Thread, why: string): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.idle);
    void thread.worker.terminate();
    const waiting = thread.ready ? undefined : this.#waiting.shift();
    for (const given of [...thread.current.values(), ...(waiting ? [waiting] : [])])
      given.reject(new ThreadLost(why));
    thread.current.clear();
    this.#assign();
    this.#tellDrained();
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    if (this.#waiting.length === 0 && ![...this.#threads].some(({ current }) => current.size > 0)) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #tellDrained(): void {
    if (this.#waiting.length > 0 || [...this.#threads].some(({ current }) => current.size > 0)) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Ends all threads that do nothing; the others are left alone, since they may be in another namespace. */
  stop(): void {
    this.#stopped = true;
    for (const thread of this.#threads) if (thread.current.size === 0) this.#end(thread);
  }
}
