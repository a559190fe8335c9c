/** The container's side: the interface under its final name, its addresses and routes, and the announcement of both. */
import { NetmoorError, isErrno } from '../base/errors.ts';
import type { SystemError } from '../base/errors.ts';
import { formatAddress, formatPrefix, networkOf } from '../base/ip.ts';
import type { Address, Prefix } from '../base/ip.ts';
import { addressAddition } from '../netlink/address.ts';
import { findLink } from '../netlink/link.ts';
import { linkChange } from '../netlink/link-change.ts';
import { IFF_UP } from '../netlink/link-message.ts';
import type { Link } from '../netlink/link-message.ts';
import { listRoutes, routeAddition } from '../netlink/route.ts';
import type { Route } from '../netlink/route.ts';
import type { NetlinkRequest, NetlinkSocket } from '../netlink/socket.ts';
import { openAddressWatch, untilDetected } from '../netlink/watch.ts';
import { advertiseAddresses } from '../system/neighbour-discovery.ts';
import { inNetns } from '../system/netns.ts';
import type { UndoStack } from '../base/undo.ts';
import { setKernelKeys } from './kernel-keys.ts';
import type { Dad, Routers } from './kernel-keys.ts';
import type { Sandbox } from './sandbox.ts';

export interface InterfaceWanted {
  readonly ifname: string;
  readonly addresses: readonly Prefix[];
  readonly routes: readonly Route[];
  readonly dad: Dad;
  /** What of theirs comes beside what is given; default: nothing. */
  readonly routers?: Routers;
}

/** Of the kernel's numbers (u32). Whoever is root in the container may have put a route there. */
const LAST_RANK = 0xffffffff;

/** As many others may be configuring interfaces of one container at the same moment. */
const ATTEMPTS = 10;

function describe(route: Route): string {
  return `${formatPrefix(networkOf(route.destination))}${route.gateway ? ` via ${formatAddress(route.gateway)}` : ''}`;
}

/**
 * In IPv6 a second default route of equal metric makes a multipath route, and half of the connections would leave by a
 * network that did not mean them: behind a route that is there already ours comes second.
 */
function rankedBehind(route: Route, present: readonly Route[]): Route {
  if (route.priority !== undefined || route.destination.address.family !== 6) return route;
  const same = present.filter(
    (other) =>
      other.table === (route.table ?? 254) &&
      other.destination.length === route.destination.length &&
      other.destination.address.value === route.destination.address.value,
  );
  if (same.length === 0) return route;
  const last = same.reduce((most, { priority = 1024 }) => Math.max(most, priority), 0);
  return { ...route, priority: Math.min(last + 1024, LAST_RANK) };
}

const ADD_ROUTE = 'add the route';

/** Whoever takes the same rank at this moment is not to be joined: the kernel refuses the second. */
function rankedAddition(route: Route, link: Link, present: readonly Route[]): NetlinkRequest {
  const isRanked = route.priority === undefined && route.destination.address.family === 6;
  const ranked = { ...rankedBehind(route, present), interface: link.index };
  return routeAddition(ranked, `${ADD_ROUTE} ${describe(route)}`, isRanked);
}

function requestsFor(
  link: Link,
  loopback: Link | undefined,
  wanted: InterfaceWanted,
  present: readonly Route[],
): NetlinkRequest[] {
  const addresses = wanted.addresses.map((prefix) =>
    addressAddition(
      link.index,
      prefix,
      { dad: FLAGS_OF[wanted.dad] },
      `give ${formatPrefix(prefix)} to ${link.name}`,
    ),
  );
  const routes = wanted.routes.map((route) => rankedAddition(route, link, present));
  const raiseLoopback =
    loopback && (loopback.flags & IFF_UP) === 0 ? [linkChange(loopback.index, { up: true }, 'raise lo')] : [];
  const raise = linkChange(link.index, { up: true }, `raise ${link.name}`);
  // To optimistic ones that were there before, nothing would be delivered until detection has ended: the kernel makes
  // their routes when it begins (addrconf_dad_begin), which it does not for those of a link that comes up.
  const inOrder = wanted.dad === 'optimistic' ? [raise, ...addresses] : [...addresses, raise];
  return [...raiseLoopback, ...inOrder, ...routes];
}

function requireInterface({ route }: Sandbox, ifname: string): Link {
  const link = findLink(route, ifname);
  if (link) return link;
  throw new NetmoorError(
    'kernel',
    `interface ${ifname} vanished from the container`,
    'was it ended or renamed meanwhile?',
  );
}

/**
 * Raises the interface without the addresses that are wanted: an IPAM plugin that asks the network for addresses needs
 * a link, and no address on it.
 */
export function raiseInterface(
  sandbox: Sandbox,
  wanted: Omit<InterfaceWanted, 'addresses' | 'routes'>,
): void {
  const { route: socket } = sandbox;
  const { ifname } = wanted;
  const link = requireInterface(sandbox, ifname);
  setKernelKeys(sandbox, link, { ...wanted, addresses: [] });
  socket.request(linkChange(link.index, { up: true }, `raise ${ifname}`));
}

function routes6(socket: NetlinkSocket, { routes }: InterfaceWanted): Route[] {
  return routes.some((route) => route.destination.address.family === 6) ? listRoutes(socket, 6) : [];
}

/** IPv6 routes whose rank somebody took who configured another interface of the container at the same moment. */
function addOvertaken(socket: NetlinkSocket, link: Link, wanted: InterfaceWanted): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const present = routes6(socket, wanted);
    const own = present.filter((route) => route.interface === link.index);
    const missing = wanted.routes.filter(
      ({ destination, priority }) =>
        destination.address.family === 6 &&
        priority === undefined &&
        !own.some((route) => leadsTo(route, destination)),
    );
    if (missing.length === 0) return;
    socket.requestAll(
      missing.map((route) => rankedAddition(route, link, present)),
      'EEXIST',
    );
  }
}

function leadsTo(route: Route, { address, length }: Prefix): boolean {
  return route.destination.length === length && route.destination.address.value === address.value;
}

/** What the kernel says of a gateway that no address or route leads to is little. */
function asRefusedRoute(error: SystemError, { ifname, addresses }: InterfaceWanted): Error {
  const isRoute = error.op.startsWith(ADD_ROUTE) && error.op.includes(' via ');
  if (!isRoute || !isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH')) return error;
  const own = addresses.map(formatPrefix).join(', ') || 'no address';
  return new NetmoorError(
    'bad-config',
    `${error.op}: there is no way to that gateway from ${ifname}, which has ${own}`,
    'correct the gateway, or say by a route before it that it is on the link ("scope": 253)',
    { cause: error },
  );
}

/** Configures the interface that has just been born in the sandbox, and raises it. */
export function configureInterface(sandbox: Sandbox, wanted: InterfaceWanted, undo: UndoStack): Link {
  const { route: socket } = sandbox;
  const link = requireInterface(sandbox, wanted.ifname);
  const loopback = findLink(socket, 'lo');
  setKernelKeys(sandbox, link, wanted);
  const present = routes6(socket, wanted);
  if (loopback && (loopback.flags & IFF_UP) === 0) {
    undo.push('lower lo', () => void socket.request(linkChange(loopback.index, { up: false }, 'lower lo')));
  }
  const { failures } = socket.exchange(requestsFor(link, loopback, wanted, present));
  // The very route may be there: the connected one of the interface's own prefix, listed once more in the config.
  const failure = failures.find(({ error }) => !isErrno(error, 'EEXIST'));
  if (failure) throw asRefusedRoute(failure.error, wanted);
  if (failures.length > 0) addOvertaken(socket, link, wanted);
  return link;
}

const FLAGS_OF = { strict: true, optimistic: 'optimistic', off: false } as const;

/**
 * Duplicate address detection takes a second (RFC 4862, RetransTimer) and a random delay of up to another before it.
 */
const DAD_DEADLINE_MS = 10_000;

/**
 * On most LANs whoever has an address that was taken optimistically says so within a millisecond, which the kernel
 * heeds at once.
 */
const OBJECTION_MS = 5;

/**
 * Waits for duplicate address detection: strict, until it has ended; optimistic, for the objections that come at once.
 * Throws NetmoorError('address-taken') when somebody else has one of the addresses.
 */
export function awaitDetection(
  { netns }: Sandbox,
  link: Link,
  dad: Exclude<Dad, 'off'>,
  now: () => number,
  deadline = DAD_DEADLINE_MS,
): void {
  const strict = dad === 'strict';
  const notifications = inNetns(netns, openAddressWatch);
  try {
    const milliseconds = strict ? deadline : OBJECTION_MS;
    const { duplicate, undecided } = untilDetected(notifications, link.index, milliseconds, now);
    const [trouble] = [...duplicate, ...(strict ? undecided : [])];
    if (trouble === undefined) return;
    const address = formatAddress(trouble.prefix.address);
    if (duplicate.length > 0) {
      throw new NetmoorError(
        'address-taken',
        `somebody else on the network has ${address}`,
        'find who it is, or exclude the address from the ranges',
      );
    }
    throw new NetmoorError(
      'kernel',
      `duplicate address detection of ${address} did not end`,
      'is the interface being held down?',
    );
  } finally {
    notifications.close();
  }
}

/**
 * Tells the network where the addresses live now. With arp_notify and ndisc_notify set the kernel sends the gratuitous
 * ARP and the unsolicited neighbour advertisement whenever the MAC address is set, also to what it is; sending them by
 * a packet socket would cost 20 ms, which closing one waits for RCU (packet_release).
 */
export function announce(sandbox: Sandbox, link: Link, mac: string): void {
  sandbox.route.request(linkChange(link.index, { mac }, `announce the addresses of ${link.name}`));
}

/**
 * The same for addresses that are optimistic still, of which the kernel says nothing that would correct anybody's
 * neighbour cache (RFC 4429, section 3.3): for those of which a store knows that nobody else has them.
 */
export function announceHeld({ netns }: Sandbox, link: Link, mac: string, held: readonly Address[]): void {
  if (held.length > 0) inNetns(netns, () => advertiseAddresses(link.index, mac, held));
}
