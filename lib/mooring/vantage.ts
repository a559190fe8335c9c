/** From where records are judged: which machine, which boot, which network namespace. */
import { sha256 } from '../base/sha256.ts';
import type { World } from '../cni/world.ts';
import type { AttachmentRecord, HostRecord } from '../../ipam/record.ts';

/**
 * Stands for the machine without giving its id away (machine-id(5) wants it kept); '' for one that has none: its boot id,
 * which is taken instead, changes with every boot, so that nothing of an earlier one would ever be its own.
 */
export function hostIdOf({ machineId, bootId }: Pick<World, 'machineId' | 'bootId'>): string {
  return machineId === bootId ? '' : sha256(`netmoor host ${machineId}`).toString('hex', 0, 8);
}

/** Where the host's side of an attachment made here is. */
export function here(world: World): HostRecord {
  return { id: hostIdOf(world), netns: world.ownNetnsId() };
}

/** In words why an attachment cannot be judged from here, nor its interfaces be reached; undefined when it can. */
export function whyElsewhere({ host, bootId }: AttachmentRecord, world: World): string | undefined {
  if (host === undefined) return undefined;
  if (host.id !== hostIdOf(world)) return 'its host is another machine';
  if (bootId === world.bootId && host.netns !== world.ownNetnsId())
    return `its host side is in another network namespace (${host.netns.replace(/^.*:/, '')})`;
  return undefined;
}
