/**
 * The one rule for what is dead. An attachment is dead when it cannot be in use any more for certain: its host was
 * restarted, who was at work on it died over it, or the kernel took its interface away together with the container's
 * namespace. A path that leads nowhere proves nothing, nor does a look from another namespace or machine.
 */
import { NetmoorError } from '../base/errors.ts';
import type { World } from '../cni/world.ts';
import { findLink } from '../netlink/link.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { Judge, Kind } from './kind.ts';
import { whyElsewhere } from './vantage.ts';

/** True while somebody is at work on it, who alone may touch it. */
export function isInHand({ worker, bootId }: AttachmentRecord, world: World): boolean {
  return worker !== undefined && bootId === world.bootId && world.isAtWork(worker);
}

/**
 * Why an attachment cannot be in use any more, in words; undefined while it may be. `kind` is that of the record,
 * undefined for one that this version does not know.
 */
export function causeOfDeath(
  judge: Judge,
  record: AttachmentRecord,
  kind: Kind | undefined,
): string | undefined {
  const { world } = judge;
  if (whyElsewhere(record, world) !== undefined) return undefined;
  if (record.bootId !== world.bootId) return 'the host has been restarted since';
  if (record.unreadable !== undefined || isInHand(record, world)) return undefined;
  if (record.state === 'attaching') return 'what was attaching it died';
  if (record.state === 'detaching') return 'its detaching did not finish';
  return kind?.deathOf(judge, record);
}

/**
 * Whether the namespace on record can still be reached where it was: then the container may live without its interface.
 */
export function isReachable({ netns }: AttachmentRecord, world: World): boolean {
  if (netns === undefined) return false;
  try {
    const opened = world.openNetns(netns.path);
    world.closeNetns(opened);
    return opened.id === netns.inode;
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return false;
    throw error;
  }
}

/**
 * For kinds with an interface on the host that ends with the container's namespace: that interface is looked for by
 * name, then by index, since a person may have renamed it; without it the namespace itself is asked for.
 */
export function lostInterface({ route, world }: Judge, record: AttachmentRecord): string | undefined {
  const { hostIfname, hostIfindex } = record;
  if (hostIfname === undefined || findLink(route, hostIfname)) return undefined;
  if (hostIfindex !== undefined && findLink(route, hostIfindex)) return undefined;
  return isReachable(record, world) ? undefined : `its interface ${hostIfname} is gone`;
}
