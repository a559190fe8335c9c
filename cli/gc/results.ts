/**
 * Collecting attachments that a hook or `netmoor attach` made for a container that has ended, by the results on file:
 * plugins of others have done their part for it, too, which no record of ours tells. What another runtime has on file
 * is its own.
 */
import { errorText } from '../../lib/base/errors.ts';
import { allCachedAttachments, isBeingAttached, isWhereItWas } from '../../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import { refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { PLUGIN_PATH } from '../../lib/cni/lists/places.ts';
import { delCached } from '../../lib/cni/lists/several.ts';
import type { World } from '../../lib/cni/world.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { Ours } from '../../lib/cni/lists/attachment.ts';
import { formatKey } from '../../ipam/record.ts';
import { withdrawDns } from '../attached-dns.ts';
import type { Found } from './collect.ts';
import type { Garbage } from './garbage.ts';

/** Of the interfaces on the host that ADD told of, one that is not there any more. */
function lostInterface({ result }: CachedAttachment, interfaces: ReadonlySet<string>): string | undefined {
  const onHost = result?.interfaces.filter(({ sandbox }) => sandbox === undefined) ?? [];
  return onHost.find(({ name }) => !interfaces.has(name))?.name;
}

/**
 * Why it is certain that the container is gone, or was never attached to the end; undefined when it is not. A path that
 * leads elsewhere proves nothing by itself, the namespace may live on without it. A process that has ended does, and a
 * host that was restarted; and so does the host's end of a veth, which the kernel destroys together with the namespace.
 * Where there is none, its kind knows by its record.
 */
function reasonToCollect(
  cached: CachedAttachment,
  interfaces: ReadonlySet<string>,
  dead: ReadonlyMap<string, string>,
  world: World,
): string | undefined {
  const { origin } = cached;
  if (origin === undefined || isBeingAttached(cached, world)) return undefined;
  if (origin.bootId !== world.bootId) return 'the host was restarted since';
  if (origin.unfinished && origin.worker !== undefined) return 'what was attaching it died';
  const { process } = origin;
  if (process !== undefined && world.processIdentity(process.pid)?.started !== process.started)
    return `process ${process.pid} of the container has ended`;
  if (isWhereItWas(cached, world)) return undefined;
  const lost = lostInterface(cached, interfaces);
  return lost === undefined ? dead.get(formatKey(cached)) : `its interface ${lost} is gone`;
}

function listInterfaces(): ReadonlySet<string> {
  const socket = NetlinkSocket.open('route');
  try {
    return new Set(listLinks(socket).map(({ name }) => name));
  } finally {
    socket.close();
  }
}

function garbageOf({ network, containerId, ifname }: CachedAttachment, reason: string): Garbage {
  return { kind: 'attachment', what: `${network}/${containerId}/${ifname}`, reason };
}

/**
 * Detaches them, going on after failures; with `dryRun` it only tells which. `dead`: why attachments on record are, by
 * key.
 */
export async function collectResults(
  world: World,
  ours: Ours,
  dead: ReadonlyMap<string, string>,
  dryRun: boolean,
  note: (line: string) => void,
): Promise<Found> {
  const found: Found = { garbage: [], failures: [] };
  const all = allCachedAttachments(world);
  const interfaces = all.length > 0 ? listInterfaces() : new Set<string>();
  for (const cached of all) {
    const reason = reasonToCollect(cached, interfaces, dead, world);
    if (reason === undefined) continue;
    const garbage = garbageOf(cached, reason);
    try {
      if (!dryRun) {
        await delCached([cached], { path: PLUGIN_PATH }, world, ours, note);
        refreshHostMap(cached.containerId, world);
        withdrawDns(cached.netns, { world, note });
      }
      found.garbage.push(garbage);
    } catch (error) {
      found.failures.push({ what: garbage.what, problem: errorText(error) });
    }
  }
  return found;
}
