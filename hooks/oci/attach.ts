/**
 * createRuntime and prestart: the container's networks, all of them or none. Everything that can be known to be wrong
 * is known before the first plugin runs.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { toCniError } from '../../lib/cni/errors.ts';
import { containerAddresses, refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { describePublished } from '../../lib/cni/port-mappings.ts';
import { cachedAttachments, delNetwork } from '../../lib/cni/lists/invoke.ts';
import type { CachedAttachment } from '../../lib/cni/lists/invoke.ts';
import { delCached } from '../../lib/cni/lists/several.ts';
import type { Attached, Plan as Planned } from '../../lib/cni/lists/several.ts';
import { addWithPorts, publishedPorts } from '../../lib/mooring/free-ports.ts';
import { makePlan } from './plan.ts';
import type { Plan } from './plan.ts';
import { requireAlive } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import { commitAll, discardAll } from './staged-file.ts';
import { pathOf } from './task.ts';
import type { Task } from './task.ts';
import type { NamedResult } from './texts.ts';
import { stageFiles } from './written-files.ts';

/** Attached in this very life of the container, to the end. */
function isCurrent(
  { origin, result }: CachedAttachment,
  { netnsId, process }: Sandbox,
  bootId: string,
): boolean {
  if (origin === undefined || origin.unfinished || result === undefined) return false;
  const sameProcess =
    origin.process === undefined ||
    (origin.process.pid === process.pid && origin.process.started === process.started);
  return origin.bootId === bootId && origin.netnsId === netnsId && sameProcess;
}

/** Takes the networks back, last one first; what cannot be taken back is told. */
async function takeBack(task: Task, attached: readonly Attached[]): Promise<string[]> {
  const failures: string[] = [];
  for (const { list, attachment } of attached.toReversed()) {
    await delNetwork(list, attachment, task.world, task.ours, task.note).catch((error: unknown) => {
      failures.push(`${list.name} (${attachment.ifname}): ${errorText(error)}`);
    });
  }
  try {
    refreshHostMap(task.state.id, task.world, task.hostMap);
  } catch (error) {
    failures.push(`${task.hostMap}: ${errorText(error)}`);
  }
  return failures;
}

function namedResult(attached: Attached): NamedResult {
  const { list, attachment, result } = attached;
  return { network: list.name, ifname: attachment.ifname, result, ports: publishedPorts(attached) };
}

/** As it was attached: by then a port of the host stands for each that was left to netmoor. */
function asAttached(
  { list, attachment }: Planned,
  current: CachedAttachment | undefined,
  attached: readonly Attached[],
): Attached | undefined {
  const { ifname } = attachment;
  if (current?.result !== undefined)
    return {
      list,
      attachment: { ...attachment, capabilities: current.capabilities },
      result: current.result,
    };
  return attached.find((each) => each.list.name === list.name && each.attachment.ifname === ifname);
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

function withRemainder(error: unknown, failures: readonly string[], id: string): unknown {
  if (failures.length === 0) return error;
  const { msg, details } = toCniError(error);
  const more = `it could not be undone entirely (${failures.join('; ')}): run "netmoor detach --id ${id}"`;
  const kind = error instanceof NetmoorError ? error.kind : 'internal';
  return new NetmoorError(kind, msg, details === '' ? more : `${details}; ${more}`, { cause: error });
}

async function finishOrTakeBack(
  task: Task,
  plan: Plan,
  attached: readonly Attached[],
  results: readonly NamedResult[],
): Promise<void> {
  try {
    finish(task, plan, results);
  } catch (error) {
    throw withRemainder(error, await takeBack(task, attached), task.state.id);
  }
}

function describe(results: readonly NamedResult[]): string {
  const each = ({ network, ifname, result, ports }: NamedResult): string =>
    [network, ifname, ...containerAddresses(result), ...ports.map(describePublished)].join(' ');
  return results.map(each).join(', ');
}

/** What an earlier container of this id left, which no poststop took down, makes way. */
async function clearEarlier(task: Task, stale: readonly CachedAttachment[]): Promise<void> {
  const { state, world, ours, note } = task;
  for (const { network, ifname } of stale)
    note(`taking down what an earlier ${state.id} left in ${network} (${ifname})`);
  await delCached(stale, { path: pathOf(task) }, world, ours, note);
}

/**
 * Attaches the container and tells in words what was done. Called again for the same container, it does nothing. Throws
 * NetmoorError with nothing left behind.
 */
export async function attach(task: Task): Promise<string> {
  const plan = makePlan(task);
  try {
    return await carryOut(task, plan);
  } finally {
    task.world.closeNetns(plan.sandbox.opened);
  }
}

async function carryOut(task: Task, plan: Plan): Promise<string> {
  const { state, world, ours, note } = task;
  const known = cachedAttachments(state.id, world).filter(({ origin }) => origin !== undefined);
  const current = known.filter((cached) => isCurrent(cached, plan.sandbox, world.bootId));
  const present = ({ list, attachment }: Planned): CachedAttachment | undefined =>
    current.find((cached) => cached.network === list.name && cached.ifname === attachment.ifname);
  await clearEarlier(
    task,
    known.filter((cached) => !current.includes(cached)),
  );
  const missing = plan.networks.filter((network) => present(network) === undefined);
  if (missing.length === 0) return 'is attached already';
  const attached = await addWithPorts(missing, world, ours, note);
  const results = plan.networks.flatMap((network): NamedResult[] => {
    const found = asAttached(network, present(network), attached);
    return found === undefined ? [] : [namedResult(found)];
  });
  await finishOrTakeBack(task, plan, attached, results);
  return `attached to ${describe(attached.map(namedResult))}`;
}
