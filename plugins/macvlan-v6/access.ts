/**
 * Host and containers on one master reach each other (`hostAccess`): a macvlan lets no frame pass between itself and
 * its master, so the host gets a macvlan of its own beside those of the containers, and routes to them through it. For
 * IPv6 it needs the host's addresses as well: unlike ARP, neighbour discovery answers for an address only at the
 * interface that has it.
 */
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { formatAddress, sameAddress } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import { withOthers } from '../../lib/mooring/alone.ts';
import { writeAlone } from '../../lib/mooring/host.ts';
import type { Host, Sockets } from '../../lib/mooring/host.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../lib/mooring/marks.ts';
import { lastOf } from '../../lib/mooring/records.ts';
import { addressAddition, addressRemoval, listAddresses } from '../../lib/netlink/address.ts';
import { labelling, linkChange } from '../../lib/netlink/link-change.ts';
import { createAndFind } from '../../lib/netlink/link-creation.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { RT_SCOPE_UNIVERSE } from '../../lib/netlink/route.ts';
import type { NetlinkRequest, NetlinkSocket } from '../../lib/netlink/socket.ts';
import { admitHost } from '../../lib/nftables/guard/guard.ts';
import type { MooredPort } from '../../lib/nftables/guard/port.ts';
import { ensureSysctlIfPresent } from '../../lib/system/sysctl.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { KIND } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';
import { otherRecords, portsOf } from './guard.ts';
import { hasMoved, hostRoutes, removeRoutesThrough, routeRequests, verifyRoutes } from './host-routes.ts';
import { hostIfnameFor, hostMacFor } from './names.ts';
import type { Work } from './work.ts';

/**
 * As it is, whether it has just been made or not. Throws NetmoorError('not-available') when something else is called
 * so.
 */
function ensureHostLink(host: Sockets, master: Link, machine: string): { link: Link; isNew: boolean } {
  const name = hostIfnameFor(master.index);
  const mac = hostMacFor(machine, master.name);
  // By its MAC address, too: who has just made it may not have labelled it yet.
  const isOurs = ({ kind, peer, alias, mac: its }: Link): boolean =>
    kind === 'macvlan' && peer === master.index && (alias === ALIAS || its === mac);
  const found = findLink(host.route, name);
  if (found !== undefined && isOurs(found)) return { link: found, isNew: false };
  if (found !== undefined) {
    throw new NetmoorError(
      'not-available',
      `the host has an interface ${name} that is not netmoor's, where its own macvlan on ${master.name} is to be`,
      'rename that one, or do without hostAccess',
    );
  }
  const creation = macvlanCreation({ name, mac, master: master.index, mode: 'bridge' });
  try {
    const link = createAndFind(host.route, [creation, labelling({ name }, ALIAS)], name);
    return { link, isNew: true };
  } catch (error) {
    const raced = isErrno(error, 'EEXIST') ? findLink(host.route, name) : undefined;
    if (raced === undefined || !isOurs(raced)) throw error;
    return { link: raced, isNew: true };
  }
}

/** Its own addresses would be further ones of the host's, that nobody asked for. */
function quieten(name: string): void {
  for (const [key, value] of [
    ['accept_ra', '0'],
    ['autoconf', '0'],
    ['accept_dad', '0'],
  ] as const)
    ensureSysctlIfPresent(value, 'net', 'ipv6', 'conf', name, key);
}

/** The host's IPv6 addresses on the master, each for itself. */
function hostAddresses(route: NetlinkSocket, master: Link): Prefix[] {
  return listAddresses(route, master.index)
    .filter(({ prefix, scope }) => prefix.address.family === 6 && scope === RT_SCOPE_UNIVERSE)
    .map(({ prefix: { address } }) => ({ address, length: 128 }));
}

/** The host's macvlan has the addresses that the master has; whether it had others. */
function passAddresses(route: NetlinkSocket, link: Link, master: Link): boolean {
  const [wanted, there] = [hostAddresses(route, master), hostAddresses(route, link)];
  const isIn = (all: readonly Prefix[], { address }: Prefix): boolean =>
    all.some((other) => sameAddress(other.address, address));
  const missing = wanted.filter((prefix) => !isIn(there, prefix));
  const gone = there.filter((prefix) => !isIn(wanted, prefix));
  const changes = [
    ...gone.map((prefix) =>
      addressRemoval(link.index, prefix, `take ${formatAddress(prefix.address)} from ${link.name}`),
    ),
    ...missing.map((prefix) => {
      const op = `give ${formatAddress(prefix.address)} to ${link.name}`;
      return addressAddition(link.index, prefix, { dad: false, protocol: IFAPROT_NETMOOR }, op);
    }),
  ];
  exchange(route, changes);
  return changes.length > 0;
}

/** Others may do the same at this moment. */
function exchange(route: NetlinkSocket, requests: readonly NetlinkRequest[]): void {
  route.requestAll(requests, 'EEXIST', 'EADDRNOTAVAIL', 'ESRCH');
}

/** Those of others on the master who are to be reached, too. */
function othersWithAccess(host: Host, record: MacvlanRecord, tx?: StoreReader): MacvlanRecord[] {
  return otherRecords(host, record, tx).filter(
    ({ detail }) => detail.hostAccess && detail.masterIndex === record.detail.masterIndex,
  );
}

/** Gives host and container a way to each other. */
export function giveAccess(work: Work, record: MacvlanRecord, master: Link, undo: UndoStack): void {
  const { host, request } = work;
  undo.push(`leave the host's macvlan on ${master.name}`, () => {
    writeAlone(host, (tx, ask) => {
      if (lastOf(tx, ask, { name: KIND }, record).onSegment) removeAccess(host, record);
    });
  });
  undo.push("remove the host's routes", () => removeRoutes(host, record));
  standAccess(host, record, master, request.config.machine);
  host.step('attach: host access given');
}

/** The same on a master where it may have been given before; `tx`: where a transaction is under way. */
export function standAccess(
  host: Host,
  record: MacvlanRecord,
  master: Link,
  machine: string,
  tx?: StoreReader,
): void {
  const { route, netfilter } = host;
  const { link, isNew } = ensureHostLink(host, master, machine);
  quieten(link.name);
  const everybody = (locked: Host, inside: StoreReader): MooredPort[] =>
    portsOf(locked, [record, ...otherRecords(locked, record, inside)]);
  withOthers(host, tx, everybody, (all) =>
    admitHost(netfilter, { name: master.name, index: master.index }, link.mac ?? '', all),
  );
  const wasDown = (link.flags & IFF_UP) === 0;
  if (wasDown) exchange(route, [linkChange(link.index, { up: true }, `raise ${link.name}`)]);
  const hasNewAddresses = passAddresses(route, link, master);
  const routes = hostRoutes(route, link, master);
  const hasChanged = hasNewAddresses || hasMoved(routes);
  // With the interface, or the address they are from, routes go: those of others, too.
  const records = isNew || wasDown || hasChanged ? [record, ...othersWithAccess(host, record, tx)] : [record];
  exchange(route, routeRequests(routes, records));
}

function hostLinkOn({ route }: Pick<Sockets, 'route'>, masterIndex: number): Link | undefined {
  const link = findLink(route, hostIfnameFor(masterIndex));
  return link?.kind === 'macvlan' && link.alias === ALIAS ? link : undefined;
}

/** Whether the host has a macvlan of its own on that master. */
export function hasHostLink(host: Pick<Sockets, 'route'>, masterIndex: number): boolean {
  return hostLinkOn(host, masterIndex) !== undefined;
}

function hostLink(host: Pick<Sockets, 'route'>, { detail }: MacvlanRecord): Link | undefined {
  return hostLinkOn(host, detail.masterIndex ?? 0);
}

/** The attachment's own routes on the host. */
export function removeRoutes(host: Sockets, record: MacvlanRecord): void {
  const link = hostLink(host, record);
  if (link !== undefined) removeRoutesThrough(host.route, link, record);
}

/** From the addresses of the one to those of the other, of one attachment. */
export function moveRoutes(host: Host, before: MacvlanRecord, after: MacvlanRecord): void {
  const link = hostLink(host, after);
  const master = findLink(host.route, after.detail.masterIndex ?? 0);
  if (link === undefined || master === undefined) return;
  removeRoutesThrough(host.route, link, before);
  exchange(host.route, routeRequests(hostRoutes(host.route, link, master), [after]));
}

/** The host's own macvlan, and with it all routes through it. */
export function removeAccess(host: Sockets, record: MacvlanRecord): void {
  const link = hostLink(host, record);
  if (link !== undefined) removeLink(host.route, link.index);
}

/** How that differs from what was promised, in words. */
export function verifyAccess({ route }: Pick<Sockets, 'route'>, record: MacvlanRecord): string[] {
  const link = hostLink({ route }, record);
  if (link === undefined) return [`the host's macvlan on ${record.segment} is gone`];
  const down = (link.flags & IFF_UP) === 0 ? [`the host's macvlan ${link.name} is down`] : [];
  return [...down, ...verifyRoutes(route, link, record)];
}
