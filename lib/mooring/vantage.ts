/** From where records are judged: which machine, which boot, which network namespace. */
import type { World } from '../cni/world.ts';
import type { AttachmentRecord, HostRecord } from '../../ipam/record.ts';

/** Where the host's side of an attachment made here is. */
export function here(world: World): HostRecord {
  return { id: world.hostId, netns: world.ownNetnsId() };
}

/** In words why an attachment cannot be judged from here, nor its interfaces be reached; undefined when it can. */
export function whyElsewhere({ host, bootId }: AttachmentRecord, world: World): string | undefined {
  if (host === undefined) return undefined;
  if (host.id !== world.hostId) return 'its host is another machine';
  if (bootId === world.bootId && host.netns !== world.ownNetnsId())
    return `its host side is in another network namespace (${host.netns.replace(/^.*:/, '')})`;
  return undefined;
}
