/**
 * Bringing a container's interface after a lease that has changed: addresses, routes and MTU; what is on record of the
 * attachment; and what the host has by those addresses (Kind.following). What the lease had before, and has not any
 * more, goes; everything else stays.
 */
import { isErrno } from '../../../lib/base/errors.ts';
import { networkOf, parsePrefix, sameAddress } from '../../../lib/base/ip.ts';
import type { CniIp, CniRoute } from '../../../lib/cni/result.ts';
import type { World } from '../../../lib/cni/world.ts';
import { hostOf, withSockets, writeAlone } from '../../../lib/mooring/host.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { DHCP_IPAM } from '../../../lib/mooring/ipam-type.ts';
import type { Kind, MooringDetail } from '../../../lib/mooring/kind.ts';
import { understand } from '../../../lib/mooring/records.ts';
import { kernelRoute, subnetsOf } from '../../../lib/mooring/routes.ts';
import { knownStores } from '../../../lib/mooring/stores.ts';
import type { NamedStore } from '../../../lib/mooring/stores.ts';
import { whyElsewhere } from '../../../lib/mooring/vantage.ts';
import { addressAddition, addressRemoval } from '../../../lib/netlink/address.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { routeAddition, routeRemoval } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import type { NetlinkRequest } from '../../../lib/netlink/socket.ts';
import { withSocketIn } from '../../../lib/netlink/socket-in.ts';
import type { Netns } from '../../../lib/system/netns.ts';
import type { AttachmentKey, AttachmentRecord } from '../../../ipam/record.ts';
import type { StoreReader } from '../../../ipam/store/store.ts';
import { ipsOf, routesOf } from '../leased.ts';
import type { Leases } from '../leased.ts';
import { openAgain, requireLink } from './enter.ts';
import type { Whereabouts } from './enter.ts';

export interface Change {
  readonly key: AttachmentKey;
  readonly where: Whereabouts;
  readonly before: Leases;
  readonly after: Leases;
  readonly priority?: number;
  /** The main plugin gives the interface its addresses and routes: here it is about the rest. */
  readonly first: boolean;
}

/** What is in one list and not in the other. */
function without<T>(list: readonly T[], others: readonly T[]): T[] {
  const known = new Set(others.map((other) => JSON.stringify(other)));
  return list.filter((item) => !known.has(JSON.stringify(item)));
}

interface Difference {
  readonly gone: { readonly ips: readonly CniIp[]; readonly routes: readonly CniRoute[] };
  readonly come: { readonly ips: readonly CniIp[]; readonly routes: readonly CniRoute[] };
}

function difference({ before, after, priority }: Change): Difference {
  const old = { ips: ipsOf(before), routes: routesOf(before, priority) };
  const now = { ips: ipsOf(after), routes: routesOf(after, priority) };
  const addresses = (ips: readonly CniIp[]): CniIp[] => ips.map(({ address }) => ({ address }));
  return {
    gone: {
      ips: without(addresses(old.ips), addresses(now.ips)),
      routes: without(old.routes, now.routes),
    },
    come: {
      ips: without(addresses(now.ips), addresses(old.ips)),
      // Whoever takes an address away takes along the routes that go by its subnet.
      routes:
        JSON.stringify(addresses(old.ips)) === JSON.stringify(addresses(now.ips))
          ? without(now.routes, old.routes)
          : now.routes,
    },
  };
}

/** What is there already, and what is gone already, is as it should be. */
function attempt(route: NetlinkSocket, request: NetlinkRequest, ...fine: string[]): void {
  try {
    route.request(request);
  } catch (error) {
    if (!isErrno(error, ...fine)) throw error;
  }
}

function applyAddresses(route: NetlinkSocket, link: Link, { gone, come }: Difference): void {
  for (const { address } of come.ips) {
    const op = `give ${address} to ${link.name}`;
    attempt(route, addressAddition(link.index, parsePrefix(address), { dad: true }, op), 'EEXIST');
  }
  for (const { dst } of gone.routes) {
    const destination = networkOf(parsePrefix(dst));
    const op = `remove the route ${dst}`;
    attempt(route, routeRemoval({ destination, interface: link.index }, op), 'ESRCH', 'ENETDOWN');
  }
  for (const { address } of gone.ips) {
    const op = `take ${address} from ${link.name}`;
    attempt(route, addressRemoval(link.index, parsePrefix(address), op), 'EADDRNOTAVAIL');
  }
  for (const wanted of come.routes) {
    const request = routeAddition(
      { ...kernelRoute(wanted), interface: link.index },
      `add the route ${wanted.dst}`,
    );
    attempt(route, request, 'EEXIST');
  }
}

/** Below this IPv4 does not work (RFC 791); the LAN's own is the most there can be. */
const LEAST_MTU = 576;

function applyMtu(route: NetlinkSocket, link: Link, { before, after, first }: Change): void {
  const mtu = after.v4?.mtu;
  if (mtu === undefined || mtu < LEAST_MTU || mtu === link.mtu) return;
  if (first ? mtu > link.mtu : mtu === before.v4?.mtu) return;
  attempt(route, linkChange(link.index, { mtu }, `give ${link.name} the MTU ${mtu}`), 'EINVAL', 'ERANGE');
}

function onInterface(netns: Netns, change: Change): void {
  withSocketIn(netns, 'route', (route) => {
    const link = requireLink(route, change.where);
    applyMtu(route, link, change);
    if (!change.first) applyAddresses(route, link, difference(change));
  });
}

/** The list with what came in the place of what went. */
function replaced<T>(
  list: readonly T[],
  gone: readonly T[],
  come: readonly T[],
  same: (a: T, b: T) => boolean,
): T[] {
  const stays = list.filter((item) => !gone.some((other) => same(item, other)));
  return [...stays, ...come.filter((item) => !stays.some((other) => same(item, other)))];
}

function onRecord(record: AttachmentRecord, { gone, come }: Difference, after: Leases): AttachmentRecord {
  const sameIp = (a: CniIp, b: CniIp): boolean =>
    sameAddress(parsePrefix(a.address).address, parsePrefix(b.address).address);
  const sameRoute = (a: CniRoute, b: CniRoute): boolean => a.dst === b.dst && a.gw === b.gw;
  const gateways = new Map(ipsOf(after).map(({ address, gateway }) => [address, gateway]));
  const addresses = replaced(record.addresses, gone.ips, come.ips, sameIp).map(({ address, ...rest }) => {
    const gateway = gateways.get(address);
    return { ...rest, address, ...(gateway === undefined ? {} : { gateway }) };
  });
  const { routes, subnets } = record.detail as Partial<MooringDetail>;
  return {
    ...record,
    addresses,
    detail: {
      ...record.detail,
      ...(routes ? { routes: replaced(routes, gone.routes, come.routes, sameRoute) } : {}),
      ...(subnets ? { subnets: subnetsOf(addresses) } : {}),
    },
  };
}

/** Kinds by the name of their plugin, as whoever lists them all tells them. */
export type KindOf = (plugin: string) => Promise<Kind | undefined>;

function isOurs(record: AttachmentRecord | undefined): record is AttachmentRecord {
  const leased = record?.delegate?.type === DHCP_IPAM || record?.dhcp !== undefined;
  return leased && record?.state === 'attached';
}

/** What no kind of ours can read, only its record follows. */
async function followingOf(kindOf: KindOf, record: AttachmentRecord): Promise<Moved> {
  const kind = await kindOf(record.plugin);
  if (kind === undefined || !('known' in understand(kind, record))) return () => {};
  const following = await kind.following();
  return (host, tx, netns, before, after) => {
    const [was, is] = [understand(kind, before), understand(kind, after)];
    if ('known' in was && 'known' in is) following.moved(host, tx, netns, was.known, is.known);
  };
}

type Moved = (
  host: Host,
  tx: StoreReader,
  netns: Netns,
  before: AttachmentRecord,
  after: AttachmentRecord,
) => void;

async function inStore(
  named: NamedStore,
  world: World,
  netns: Netns,
  change: Change,
  kindOf: KindOf,
): Promise<void> {
  const found = named.store.read((tx) => tx.attachment(change.key));
  if (!isOurs(found)) return;
  const moved = await followingOf(kindOf, found);
  const surroundings = { path: [], environment: {}, note: () => {} };
  await withSockets((sockets) => {
    const host = hostOf(sockets, named, world, surroundings);
    writeAlone(host, (tx, _ask, look) => {
      const before = tx.attachment(change.key);
      if (!isOurs(before)) return;
      const after = onRecord(before, difference(change), change.after);
      if (whyElsewhere(before, world) === undefined)
        moved({ ...host, askOthers: look }, tx, netns, before, after);
      tx.putAttachment(after);
    });
  });
}

async function onHost(world: World, netns: Netns, change: Change, kindOf: KindOf): Promise<void> {
  for (const named of knownStores(world)) await inStore(named, world, netns, change, kindOf);
}

/**
 * The host before the container: what guards an address must know it before it is used. Throws
 * NetmoorError('bad-netns') when the container is gone, SystemError when the kernel refuses.
 */
export async function follow(world: World, change: Change, kindOf: KindOf): Promise<void> {
  const netns = openAgain(world, change.where);
  try {
    try {
      if (!change.first) await onHost(world, netns, change, kindOf);
    } finally {
      // Also when the host could not follow: an address that has lapsed must not be used any longer.
      onInterface(netns, change);
    }
  } finally {
    world.closeNetns(netns);
  }
}
