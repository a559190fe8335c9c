/** Several networks for one container: all of them or none, and every one taken down that can be. */
import { NetmoorError, errorText } from '../../base/errors.ts';
import type { CniResult } from '../result.ts';
import type { World } from '../world.ts';
import { adapt, validateAttachment } from './attachment.ts';
import type { Attachment, Ours } from './attachment.ts';
import { addNetwork, delNetwork } from './invoke.ts';
import type { CachedAttachment } from './invoke.ts';
import type { NetworkList } from './list.ts';

export interface Plan {
  readonly list: NetworkList;
  readonly attachment: Attachment;
}

export interface Attached extends Plan {
  readonly result: CniResult;
}

type Note = (line: string) => void;

/** Attaches in order. When one fails the earlier ones are detached again, last one first, and its error is thrown. */
export async function addNetworks(
  plans: readonly Plan[],
  world: World,
  ours: Ours,
  note: Note,
): Promise<Attached[]> {
  for (const { list, attachment } of plans)
    await validateAttachment(list, adapt(list, attachment), world, ours);
  const attached: Attached[] = [];
  try {
    for (const plan of plans) {
      attached.push({ ...plan, result: await addNetwork(plan.list, plan.attachment, world, ours, note) });
    }
    return attached;
  } catch (error) {
    for (const { list, attachment } of attached.toReversed()) {
      await delNetwork(list, attachment, world, ours, note).catch((remainder: unknown) =>
        note(`${list.name}: ${errorText(remainder)}`),
      );
    }
    throw error;
  }
}

/**
 * Detaches what is on file, last interface first, going on after failures; `base` gives path and environment. Throws
 * the one error there was, or all of them as one AggregateError.
 */
export async function delCached(
  cached: readonly CachedAttachment[],
  base: Pick<Attachment, 'path' | 'environment'>,
  world: World,
  ours: Ours,
  note: Note,
): Promise<void> {
  const failures: unknown[] = [];
  for (const { network, containerId, ifname, netns, args, capabilities } of cached.toReversed()) {
    try {
      await delNetwork(
        undefined,
        { ...base, network, containerId, ifname, netns, args, capabilities },
        world,
        ours,
        note,
      );
    } catch (error) {
      failures.push(
        error instanceof NetmoorError
          ? error
          : new NetmoorError('io', `${network}: ${errorText(error)}`, '', { cause: error }),
      );
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(errorText).join('; '));
}
