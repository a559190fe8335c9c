/**
 * What a plugin is that lives in the engine instead of answering once: it keeps state and timers on the engine's main
 * loop, which never waits, and gives what has to wait (store, netlink changes, programs) to threads as tasks.
 */
import type { Reactor } from '../system/reactor.ts';
import type { Plugin } from './plugin.ts';
import type { World } from './world.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/**
 * Runs in a thread, where it may wait. `world` lasts as long as the thread, which does one thing at a time. Errors of
 * netmoor's own arrive as such at whoever asked for the task, others as NetmoorError('internal').
 */
export type Task = (argument: Json, world: World) => Json | undefined | Promise<Json | undefined>;

/** By name; a plugin's own begin with the plugin's name. */
export type Tasks = Readonly<Record<string, Task>>;

/** syslog(3): 'error' 3, 'warning' 4, 'notice' 5, 'info' 6, 'debug' 7. */
export type Priority = 'error' | 'warning' | 'notice' | 'info' | 'debug';

/** What the engine gives its residents. */
export interface ResidentHost {
  readonly world: World;
  /** The engine's: sockets and points in time. */
  readonly reactor: Reactor;
  readonly runTask: (name: string, argument: Json) => Promise<Json | undefined>;
  readonly log: (priority: Priority, line: string) => void;
}

export interface ResidentStatus {
  readonly leases: number;
  readonly timers: number;
}

export interface Resident {
  /** By the name of the executable; called on the main loop, several at a time. */
  readonly plugins: ReadonlyMap<string, Plugin>;
  status(): ResidentStatus | Promise<ResidentStatus>;
  /** Before the first request. */
  start(): Promise<void>;
  /** After the last request. What was promised to containers stays as it is: another engine goes on with it. */
  stop(): Promise<void>;
  /** There is something to look after: the engine must not go. */
  busy(): boolean;
}

export type MakeResident = (host: ResidentHost) => Resident;
