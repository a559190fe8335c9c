/**
 * A thread of the engine: does one job at a time, and may wait. It steps into network namespaces like a process of its
 * own (setns(2) and unshare(2) with CLONE_NEWNET are of the thread), which is why it cannot be stopped in the middle:
 * a thread is ended only between two jobs, when it is at home.
 */
import { parentPort } from 'node:worker_threads';
import { NetmoorError } from '../../lib/base/errors.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import type { Answer } from '../../lib/cni/dispatch.ts';
import { typedError } from '../../lib/cni/errors.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import type { Json, Tasks } from '../../lib/cni/resident.ts';
import type { World } from '../../lib/cni/world.ts';
import { asRequest } from '../../lib/system/worker.ts';
import type { Worker } from '../../lib/system/worker.ts';
import type { FromWorker, Job, Outcome, PluginJob, TaskJob } from './jobs.ts';
import { pluginOf } from './programs.ts';
import { TASKS } from './tasks.ts';

/** Stores that stay open between jobs; a host has one, and seldom a few more. */
const KEPT = 8;

export interface ThreadWorld {
  readonly world: World;
  /** Who works, from now on. */
  readonly working: (worker: Worker | undefined) => void;
}

/** One world for all the jobs of a thread. */
export function threadWorld(): ThreadWorld {
  const real = realWorld();
  const kept = new Map<string, object>();
  const state: { worker: Worker | undefined } = { worker: undefined };
  const keep = <T extends object>(name: string, make: () => T): T => {
    const value = (kept.get(name) as T | undefined) ?? make();
    kept.delete(name);
    kept.set(name, value);
    for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
    return value;
  };
  const world: World = Object.defineProperties(real, {
    worker: { get: () => state.worker, enumerable: true },
    keep: { value: keep, enumerable: true },
  });
  return {
    world,
    working: (worker) => {
      state.worker = worker;
    },
  };
}

export interface Abilities {
  readonly plugin: (program: string) => Promise<Plugin | undefined>;
  readonly tasks: Tasks;
}

async function runPlugin(
  { request, program, environment, stdin }: PluginJob,
  plugin: Abilities['plugin'],
  { world, working }: ThreadWorld,
): Promise<Answer> {
  const found = await plugin(program);
  if (found === undefined) throw new NetmoorError('internal', `the engine does not know ${program}`);
  return asRequest(request, async (worker) => {
    working(worker);
    try {
      return await dispatch(found, { environment, readStdin: () => Buffer.from(stdin) }, world);
    } finally {
      working(undefined);
    }
  });
}

async function runTask({ name, argument }: TaskJob, tasks: Tasks, world: World): Promise<Json | undefined> {
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (task === undefined) throw new NetmoorError('internal', `the engine has no task ${name}`);
  return task(argument, world);
}

async function outcomeOf(job: Job, { plugin, tasks }: Abilities, world: ThreadWorld): Promise<Outcome> {
  try {
    if (job.is === 'plugin') return { answer: await runPlugin(job, plugin, world) };
    return { value: await runTask(job, tasks, world.world) };
  } catch (error) {
    const { kind, message, details } = typedError(error);
    return { error: { kind, message, details } };
  }
}

/** Does what the main loop asks for until that ends this thread. */
export function serveAsWorker(abilities: Abilities = { plugin: pluginOf, tasks: TASKS }): void {
  const port = parentPort;
  if (port === null) throw new TypeError('not in a thread');
  const world = threadWorld();
  const say = (message: FromWorker): void => port.postMessage(message);
  port.on('message', (job: Job) => {
    void outcomeOf(job, abilities, world).then((done) => say({ done }));
  });
  say({ ready: true });
}
