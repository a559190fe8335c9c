/**
 * Which container of a bridge an address is of, and whether it lives: told by the result that its runtime has on file
 * and by the kernel, or, without a result, by who answers for the address.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import { parseMac } from '../../lib/base/mac.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import type { World } from '../../lib/cni/world.ts';
import { portBehind } from '../../lib/netlink/fdb.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { firstHolder } from '../../lib/system/neighbour-probe.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { Netns } from '../../lib/system/netns.ts';

export interface Alive {
  /** The host's end of its veth. */
  readonly link: Link;
  /** Of its own end. */
  readonly mac: string | undefined;
  readonly netns: { readonly path: string; readonly inode: string } | undefined;
}

/** Or why it is none. */
export type Finding = Alive | { readonly dead: string };

export interface Sought {
  readonly ifname: string;
  readonly addresses: readonly string[];
  readonly cached: CachedAttachment | undefined;
}

interface Place {
  readonly route: NetlinkSocket;
  readonly bridge: Link;
  readonly world: World;
}

const PACE = { rounds: 3, roundMs: 100 };

function openNetns(path: string, world: World): Netns | undefined {
  try {
    const opened = path === '' ? undefined : world.openNetns(path);
    if (opened?.id !== world.ownNetnsId()) return opened;
    world.closeNetns(opened);
    return undefined;
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return undefined;
    throw error;
  }
}

function linkIn(netns: Netns, ifname: string): Link | undefined {
  const socket = inNetns(netns, () => NetlinkSocket.open('route'));
  try {
    return findLink(socket, ifname);
  } finally {
    socket.close();
  }
}

/** The veth that the result tells of, plugged into the bridge; its namespace's own end has to be its peer. */
function byResult({ route, bridge, world }: Place, { ifname }: Sought, cached: CachedAttachment): Finding {
  const onHost = cached.result?.interfaces.filter(({ sandbox }) => sandbox === undefined) ?? [];
  const names = onHost.map(({ name }) => name).filter((name) => name !== bridge.name);
  const link = names
    .flatMap((name) => findLink(route, name) ?? [])
    .find(({ kind, master }) => kind === 'veth' && master === bridge.index);
  if (link === undefined) return { dead: `its interface ${names.join(', ') || 'on the host'} is gone` };
  const told = cached.result?.interfaces.find(
    ({ name, sandbox }) => name === ifname && sandbox !== undefined,
  );
  const netns = openNetns(cached.netns, world);
  // A path that leads nowhere proves nothing: the veth would have gone with the namespace.
  if (netns === undefined) return { link, mac: told?.mac, netns: undefined };
  try {
    const inside = linkIn(netns, ifname);
    if (inside?.peer !== link.index) return { dead: `${cached.netns} is another namespace by now` };
    return { link, mac: inside.mac, netns: { path: cached.netns, inode: netns.id } };
  } finally {
    world.closeNetns(netns);
  }
}

function byAnswer({ route, bridge, world }: Place, { addresses }: Sought): Finding {
  const probed = { index: bridge.index, mac: parseMac(bridge.mac ?? '00:00:00:00:00:00') };
  const holder = firstHolder(probed, addresses.map(parseAddress), world.monotonic, PACE);
  const index = holder && portBehind(route, bridge.index, holder.mac);
  const link = index === undefined ? undefined : findLink(route, index);
  if (holder === undefined || link?.kind !== 'veth')
    return { dead: 'no result is on file, and nobody behind a veth answers for its address' };
  return { link, mac: holder.mac, netns: undefined };
}

export function findLiving(place: Place, sought: Sought): Finding {
  const { cached } = sought;
  return cached?.result === undefined ? byAnswer(place, sought) : byResult(place, sought, cached);
}
