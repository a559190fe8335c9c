/** The threads of the engine by what they are for, and how many there may be. */
import type { Lane } from './programs.ts';
import { togetherAs } from './together.ts';
import { WorkerPool, startWorker } from './workers.ts';
import type { PoolOptions } from './workers.ts';

export type Lanes = Readonly<Record<Lane, WorkerPool>>;

export interface LaneOptions {
  readonly startWorker?: PoolOptions['start'];
  /** Milliseconds that a thread is kept without work. */
  readonly idleThread?: number;
  /** Threads for main plugins that wait for the first call, and stay. */
  readonly ready?: number;
}

/** Threads: of main plugins, and of what they may wait for. */
const MOST: Readonly<Record<Lane, number>> = { main: 4, inner: 2 };

/** While all of these wait, for a plugin of others, an address to be checked, a store that is held. */
const MOST_STUCK: Readonly<Record<Lane, number>> = { main: 16, inner: 4 };

const IDLE_THREAD = 30_000;

/** `empty`: the last thread of a lane has ended of those that do not stay. */
export function openLanes(options: LaneOptions, empty: () => void): Lanes {
  const lane = (name: Lane): WorkerPool =>
    new WorkerPool({
      most: MOST[name],
      mostStuck: MOST_STUCK[name],
      least: name === 'main' ? (options.ready ?? 0) : 0,
      idle: options.idleThread ?? IDLE_THREAD,
      start: options.startWorker ?? (() => startWorker(name)),
      empty,
      together: togetherAs,
    });
  return { main: lane('main'), inner: lane('inner') };
}
