/**
 * Which container of a bridge an address is of, and whether it lives: told by the result that its runtime has on file
 * and by the kernel, or, without a result, by who answers for the address.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { parseMac } from '../../lib/base/mac.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import type { World } from '../../lib/cni/world.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { portBehind } from '../../lib/netlink/fdb.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { RT_SCOPE_LINK } from '../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { withSocketIn } from '../../lib/netlink/socket-in.ts';
import { firstHolder } from '../../lib/system/neighbour-probe.ts';
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

interface Inside {
  readonly link: Link;
  /** "10.1.0.2", without what IPv6 has on every link. */
  readonly addresses: readonly string[];
}

function lookInside(netns: Netns, ifname: string): Inside | undefined {
  return withSocketIn(netns, 'route', (socket) => {
    const link = findLink(socket, ifname);
    if (link === undefined) return undefined;
    const all = listAddresses(socket, link.index);
    const given = all.filter(({ prefix, scope }) => prefix.address.family === 4 || scope !== RT_SCOPE_LINK);
    return { link, addresses: given.map(({ prefix }) => formatAddress(prefix.address)) };
  });
}

/** Leases that are not true: what lives there would be held under an address that it does not have. */
function refuseOthers(leased: readonly string[], what: string): never {
  throw new NetmoorError(
    'check-failed',
    `host-local holds ${leased.join(', ')} for it, and ${what}`,
    'give it the address, or detach it and attach it again',
  );
}

function requireHeld({ addresses: leased, ifname }: Sought, has: readonly string[]): void {
  const missing = leased.filter((address) => !has.includes(address));
  if (missing.length > 0)
    refuseOthers(missing, has.length === 0 ? `${ifname} has no address` : `${ifname} has ${has.join(', ')}`);
}

/** The link behind which somebody answers for the address. */
function behind({ route, bridge, world }: Place, addresses: readonly string[]) {
  const probed = { index: bridge.index, mac: parseMac(bridge.mac ?? '00:00:00:00:00:00') };
  const holder = firstHolder(probed, addresses.map(parseAddress), world.monotonic, PACE);
  const index = holder && portBehind(route, bridge.index, holder.mac);
  return { holder, link: index === undefined ? undefined : findLink(route, index) };
}

/** Where nobody can look inside, whoever answers tells. */
function requireAnswered(place: Place, { addresses }: Sought, link: Link): void {
  const silent = addresses.filter((address) => behind(place, [address]).link?.index !== link.index);
  if (silent.length > 0) refuseOthers(silent, `nobody behind ${link.name} answers for that`);
}

/** The veth that the result tells of, plugged into the bridge; its namespace's own end has to be its peer. */
function byResult(place: Place, sought: Sought, cached: CachedAttachment): Finding {
  const { route, bridge, world } = place;
  const { ifname } = sought;
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
  if (netns === undefined) {
    requireAnswered(place, sought, link);
    return { link, mac: told?.mac, netns: undefined };
  }
  try {
    const inside = lookInside(netns, ifname);
    if (inside?.link.peer !== link.index) return { dead: `${cached.netns} is another namespace by now` };
    requireHeld(sought, inside.addresses);
    return { link, mac: inside.link.mac, netns: { path: cached.netns, inode: netns.id } };
  } finally {
    world.closeNetns(netns);
  }
}

function byAnswer(place: Place, sought: Sought): Finding {
  const { holder, link } = behind(place, sought.addresses);
  if (holder === undefined || link?.kind !== 'veth')
    return { dead: 'no result is on file, and nobody behind a veth answers for its address' };
  requireAnswered(place, sought, link);
  return { link, mac: holder.mac, netns: undefined };
}

/** Throws NetmoorError('check-failed') when what lives there has not the addresses that host-local holds for it. */
export function findLiving(place: Place, sought: Sought): Finding {
  const { cached } = sought;
  return cached?.result === undefined ? byAnswer(place, sought) : byResult(place, sought, cached);
}
