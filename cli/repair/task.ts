/** Looking after the rules, as a task of the engine's threads. */
import type { Json, Tasks } from '../../lib/cni/resident.ts';
import { withSockets } from '../../lib/mooring/host.ts';
import type { Extent } from '../../lib/mooring/upkeep.ts';
import type { Repair } from '../../lib/mooring/repair.ts';
import { knownStores } from '../../lib/mooring/stores.ts';
import type { KindList } from '../../plugins/kinds.ts';
import { repairAll } from './repair.ts';

export const LOOK = 'repair/look';

/** What a look has found; each text once, however many attachments it is true of. */
export interface Looked {
  readonly mended: readonly string[];
  readonly left: readonly string[];
  /** Incarnations of those whom somebody is at work on. */
  readonly inHand: readonly string[];
  /** How many attachments lack nothing more of what they lacked, or less. */
  readonly repaired: number;
}

/** Lines for a log, of many attachments as few. */
const MOST_TEXTS = 8;

function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const all = [...counts].map(([text, count]) => (count === 1 ? text : `${text} (${count} attachments)`));
  const more = all.length - MOST_TEXTS;
  return more > 0 ? [...all.slice(0, MOST_TEXTS), `and ${more} more`] : all;
}

function problemsOf({ left, problem }: Repair): readonly string[] {
  return problem === undefined ? left : [problem];
}

export function repairTasks(kinds: KindList): Tasks {
  return {
    [LOOK]: async (argument, world) => {
      const { extent } = argument as { readonly extent: Extent };
      const notes: string[] = [];
      const note = (line: string): void => void notes.push(line);
      const stores = knownStores(world);
      const { repairs, inHand, failures } = await withSockets(async (sockets) =>
        repairAll({ world, sockets, kinds, extent, note }, stores),
      );
      const looked: Looked = {
        mended: counted(repairs.flatMap(({ mended }) => mended)),
        left: counted([...repairs.flatMap(problemsOf), ...failures, ...notes]),
        inHand,
        repaired: repairs.filter(({ mended }) => mended.length > 0).length,
      };
      return looked as unknown as Json;
    },
  };
}
