/**
 * createRuntime and prestart: the container's networks, all of them or none. Everything that can be known to be wrong is known
 * before the first plugin runs.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { containerAddresses, refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { addNetwork, cachedAttachments, delNetwork } from '../../lib/cni/lists/invoke.ts';
import type { CachedAttachment } from '../../lib/cni/lists/invoke.ts';
import { PLUGIN_PATH } from '../../lib/cni/lists/places.ts';
import { makePlan } from './plan.ts';
import type { Plan } from './plan.ts';
import { requireAlive } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import { commitAll, discardAll } from './staged-file.ts';
import { bareAttachment } from './task.ts';
import type { Task } from './task.ts';
import type { NamedResult } from './texts.ts';
import { stageFiles } from './written-files.ts';

/** Attached in this very life of the container, to the end. */
function isCurrent({ origin, result }: CachedAttachment, { netnsId, process }: Sandbox, bootId: string): boolean {
  if (origin === undefined || origin.unfinished || result === undefined) return false;
  const sameProcess = origin.process === undefined || (origin.process.pid === process.pid && origin.process.started === process.started);
  return origin.bootId === bootId && origin.netnsId === netnsId && sameProcess;
}

/** What an earlier container of this id left, which no poststop took down: it makes way. */
async function clearEarlier(task: Task, stale: readonly CachedAttachment[]): Promise<void> {
  for (const { network, ifname } of stale) {
    task.note(`taking down what an earlier ${task.state.id} left in ${network} (${ifname})`);
    await delNetwork(undefined, { ...bareAttachment(task, ifname, PLUGIN_PATH), network }, task.world, task.ours, task.note);
  }
}

/** Takes the networks back, last one first; what cannot be taken back is told. */
async function takeBack(task: Task, plan: Plan, attached: readonly NamedResult[]): Promise<string[]> {
  const failures: string[] = [];
  for (const { network, ifname } of attached.toReversed()) {
    const made = plan.networks.find(({ list, attachment }) => list.name === network && attachment.ifname === ifname);
    if (made === undefined) continue;
    await delNetwork(made.list, made.attachment, task.world, task.ours, task.note).catch((error: unknown) => {
      failures.push(`${network} (${ifname}): ${errorText(error)}`);
    });
  }
  try {
    refreshHostMap(task.state.id, task.world, task.hostMap);
  } catch (error) {
    failures.push(`${task.hostMap}: ${errorText(error)}`);
  }
  return failures;
}

/** The files after the networks: they tell what came of those. */
function finish(task: Task, plan: Plan, results: readonly NamedResult[]): void {
  const staged = stageFiles(task, plan, results);
  try {
    refreshHostMap(task.state.id, task.world, task.hostMap);
    requireAlive(plan.sandbox, task.world);
    commitAll(staged);
  } finally {
    discardAll(staged);
  }
}

function describe(results: readonly NamedResult[]): string {
  const each = ({ network, ifname, result }: NamedResult): string => [network, ifname, ...containerAddresses(result)].join(' ');
  return results.map(each).join(', ');
}

async function attachAll(task: Task, plan: Plan, current: readonly CachedAttachment[]): Promise<NamedResult[]> {
  const { world, ours, note } = task;
  const attached: NamedResult[] = [];
  const results: NamedResult[] = [];
  try {
    for (const { list, attachment } of plan.networks) {
      const { ifname } = attachment;
      const present = current.find((cached) => cached.network === list.name && cached.ifname === ifname)?.result;
      const result = present ?? (await addNetwork(list, attachment, world, ours, note));
      results.push({ network: list.name, ifname, result });
      if (present === undefined) attached.push({ network: list.name, ifname, result });
    }
    if (attached.length > 0) finish(task, plan, results);
    return attached;
  } catch (error) {
    const failures = await takeBack(task, plan, attached);
    if (failures.length === 0) throw error;
    const advice = `it could not be undone entirely (${failures.join('; ')}): run "netmoor detach --id ${task.state.id}"`;
    const details = error instanceof NetmoorError && error.details !== '' ? `${error.details}; ${advice}` : advice;
    throw new NetmoorError(error instanceof NetmoorError ? error.kind : 'internal', errorText(error), details, { cause: error });
  }
}

/**
 * Attaches the container and tells in words what was done. Called again for the same container, it does nothing. Throws
 * NetmoorError with nothing left behind.
 */
export async function attach(task: Task): Promise<string> {
  const plan = makePlan(task);
  const known = cachedAttachments(task.state.id, task.world).filter(({ origin }) => origin !== undefined);
  const current = known.filter((cached) => isCurrent(cached, plan.sandbox, task.world.bootId));
  await clearEarlier(task, known.filter((cached) => !current.includes(cached)));
  const attached = await attachAll(task, plan, current);
  return attached.length === 0 ? 'is attached already' : `attached to ${describe(attached)}`;
}
