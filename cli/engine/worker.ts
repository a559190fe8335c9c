/**
 * A thread of the engine: does one job at a time, and may wait. It steps into network namespaces like a process of its
 * own (setns(2) and unshare(2) with CLONE_NEWNET are of the thread), which is why it cannot be stopped in the middle:
 * a thread is ended only between two jobs, when it is at home.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { NetmoorError } from '../../lib/base/errors.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import type { Answer } from '../../lib/cni/dispatch.ts';
import { typedError } from '../../lib/cni/errors.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import type { Json, Tasks } from '../../lib/cni/resident.ts';
import type { World } from '../../lib/cni/world.ts';
import { openNetns } from '../../lib/system/netns.ts';
import { ownProcfs } from '../../lib/system/procfs.ts';
import { asRequest } from '../../lib/system/worker.ts';
import type { Worker } from '../../lib/system/worker.ts';
import { Gathering } from './gathering.ts';
import type { FromWorker, Job, Outcome, PluginJob, TaskJob, ToWorker } from './jobs.ts';
import { HOOK, pluginOf } from './programs.ts';
import type { Lane } from './programs.ts';
import { takeCode } from './shared-code.ts';
import { KINDS } from '../../plugins/kinds.ts';
import { TASKS } from './tasks.ts';

/** Stores that stay open between jobs; a host has one, and seldom a few more. */
const KEPT = 8;

/** What differs from one request to the next. */
type Own = Partial<Pick<World, 'worker' | 'openNetns' | 'together' | 'afterwards'>>;

/** What all the requests of a thread share, which differ in who works. */
export function threadWorld(): (own: Own) => World {
  const kept = new Map<string, object>();
  const keep = <T extends object>(name: string, make: () => T): T => {
    const value = (kept.get(name) as T | undefined) ?? make();
    kept.delete(name);
    kept.set(name, value);
    for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
    return value;
  };
  const shared: World = { ...realWorld(), worker: undefined, keep, withProcfs: ownProcfs() };
  return (own) => ({ ...shared, ...own });
}

/** And those of one message alike. */
type Common = Pick<World, 'together' | 'afterwards'>;

export interface Abilities {
  readonly plugin: (program: string) => Promise<Plugin | undefined>;
  readonly tasks: Tasks;
}

/** The namespace that the caller has opened, under the path by which he calls it. */
function opening({ environment, netns }: PluginJob): Own {
  if (netns === undefined) return {};
  const path = environment['CNI_NETNS'];
  return {
    openNetns: (asked) => openNetns(asked, asked === path ? `/proc/self/fd/${netns}` : asked),
  };
}

async function runPlugin(
  job: PluginJob,
  plugin: Abilities['plugin'],
  worldFor: (own: Own) => World,
  common: Common,
): Promise<Answer> {
  const { request, program, args, environment, stdin } = job;
  const input = Buffer.from(stdin);
  const around = (worker: Worker | undefined): World => worldFor({ worker, ...opening(job), ...common });
  if (program === HOOK) return asRequest(request, async (worker) => answerHook(args, input, around(worker)));
  const found = await plugin(program);
  if (found === undefined) throw new NetmoorError('internal', `the engine does not know ${program}`);
  return asRequest(request, async (worker) =>
    dispatch(found, { environment, readStdin: () => input }, around(worker)),
  );
}

async function answerHook(args: readonly string[], stdin: Buffer, world: World): Promise<Answer> {
  const { runHookWith } = await import('../../hooks/oci/hook.ts');
  const { KINDS, pluginsOf } = await import('../../plugins/kinds.ts');
  const { exitCode, stderr } = await runHookWith({ args, stdin }, { world, ours: pluginsOf(KINDS) });
  return { exitCode, stdout: '', stderr };
}

function regardless(work: () => void): void {
  try {
    work();
  } catch {
    // Whoever it was for has his answer.
  }
}

async function runTask({ name, argument }: TaskJob, tasks: Tasks, world: World): Promise<Json | undefined> {
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (task === undefined) throw new NetmoorError('internal', `the engine has no task ${name}`);
  return task(argument, world);
}

/** Does what the main loop asks for until that ends this thread. */
export function serveAsWorker(abilities: Abilities = { plugin: pluginOf, tasks: TASKS }): void {
  const port = parentPort;
  if (port === null) throw new TypeError('not in a thread');
  takeCode();
  const worldFor = threadWorld();
  const say = (message: FromWorker): void => port.postMessage(message);
  const outcomeOf = async (job: Job, around: Common): Promise<Outcome> => {
    try {
      if (job.is === 'task') return { value: await runTask(job, abilities.tasks, worldFor({})) };
      return { answer: await runPlugin(job, abilities.plugin, worldFor, around) };
    } catch (error) {
      const { kind, message, details } = typedError(error);
      return { error: { kind, message, details } };
    }
  };
  port.on('message', ({ jobs }: ToWorker) => {
    const gathering = new Gathering(jobs.length);
    const together = jobs.length > 1 ? gathering.together : undefined;
    jobs.forEach((job, index) => {
      const later: (() => void)[] = [];
      const around = { together, afterwards: (work: () => void) => void later.push(work) };
      void outcomeOf(job, around).then((done) => {
        say({ job: index, done });
        gathering.ended();
        for (const work of later) regardless(work);
      });
    });
  });
  say({ ready: true });
  // Meanwhile, what most calls need; threads of the other lane seldom do.
  if (workerData === ('main' satisfies Lane))
    void Promise.all([...KINDS.keys()].map(async (kind) => abilities.plugin(kind))).catch(() => {});
}
