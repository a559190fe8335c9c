/**
 * Collecting attachments that a hook or `netmoor attach` made for a container that has ended, by the results on file: plugins of
 * others have done their part for it, too, which no record of ours tells. What another runtime has on file is its own.
 */
import { errorText } from '../lib/base/errors.ts';
import { allCachedAttachments, isBeingAttached } from '../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { refreshHostMap } from '../lib/cni/lists/host-map.ts';
import { PLUGIN_PATH } from '../lib/cni/lists/places.ts';
import { delCached } from '../lib/cni/lists/several.ts';
import type { World } from '../lib/cni/world.ts';
import { inProcess } from '../plugins/in-process.ts';
import type { Found } from './collect.ts';
import type { Garbage } from './garbage.ts';

/**
 * Why it is certain that the container is gone; undefined when it is not. A path that leads nowhere proves nothing, the
 * namespace may live on without it; a process that has ended and a host that was restarted do.
 */
function reasonToCollect(cached: CachedAttachment, world: World): string | undefined {
  const { origin } = cached;
  if (origin === undefined || isBeingAttached(cached, world)) return undefined;
  if (origin.bootId !== world.bootId) return 'the host was restarted since';
  const { process } = origin;
  if (process === undefined || world.processIdentity(process.pid)?.started === process.started)
    return undefined;
  return `process ${process.pid} of the container has ended`;
}

function garbageOf({ network, containerId, ifname }: CachedAttachment, reason: string): Garbage {
  return { kind: 'attachment', what: `${network}/${containerId}/${ifname}`, reason };
}

/** Detaches them, going on after failures; with `dryRun` it only tells which. */
export async function collectResults(
  world: World,
  dryRun: boolean,
  note: (line: string) => void,
): Promise<Found> {
  const found: Found = { garbage: [], failures: [] };
  for (const cached of allCachedAttachments(world)) {
    const reason = reasonToCollect(cached, world);
    if (reason === undefined) continue;
    const garbage = garbageOf(cached, reason);
    try {
      if (!dryRun) {
        await delCached([cached], { path: PLUGIN_PATH }, world, inProcess, note);
        refreshHostMap(cached.containerId, world);
      }
      found.garbage.push(garbage);
    } catch (error) {
      found.failures.push({ what: garbage.what, problem: errorText(error) });
    }
  }
  return found;
}
