/** Putting the host right for all attachments of these stores, of whatever kind. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import type { World } from '../../lib/cni/world.ts';
import { hostOf } from '../../lib/mooring/host.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Extent } from '../../lib/mooring/upkeep.ts';
import { repairKind } from '../../lib/mooring/repair.ts';
import type { Repair } from '../../lib/mooring/repair.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { kindsNamed } from '../../plugins/kinds.ts';
import type { KindList } from '../../plugins/kinds.ts';
import { quietly } from '../surroundings.ts';

export interface Outcome {
  readonly repairs: readonly Repair[];
  /** Those that were left to who is at work on them: their incarnations. */
  readonly inHand: readonly string[];
  /** Stores, or kinds of them, that could not be looked at, each in words. */
  readonly failures: readonly string[];
}

export interface Task {
  readonly world: World;
  readonly sockets: Sockets;
  readonly kinds: KindList;
  readonly extent: Extent;
  readonly isChosen?: (record: AttachmentRecord) => boolean;
  readonly note: (line: string) => void;
}

/** Goes on after what cannot be read or mended. */
export async function repairAll(task: Task, stores: readonly NamedStore[]): Promise<Outcome> {
  const { world, sockets, extent, isChosen, note } = task;
  const repairs: Repair[] = [];
  const failures: string[] = [];
  const inHand: string[] = [];
  for (const named of stores) {
    try {
      const plugins = named.store.read((tx) => tx.attachments()).map(({ plugin }) => plugin);
      for (const kind of (await kindsNamed(task.kinds, plugins)).values()) {
        const found = await repairKind(kind, hostOf(sockets, named, world, quietly(note)), extent, isChosen);
        repairs.push(...found.repairs);
        inHand.push(...found.inHand);
      }
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      failures.push(`the attachments of ${named.dir} could not be looked at: ${errorText(error)}`);
    }
  }
  return { repairs, inHand, failures };
}
