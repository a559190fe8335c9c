/**
 * Host and containers on one master reach each other (`hostAccess`): a macvlan lets no frame pass between itself and
 * its master, so the host gets a macvlan of its own beside those of the containers, and routes to them through it. For
 * IPv6 it needs the host's addresses as well: unlike ARP, neighbour discovery answers for an address only at the
 * interface that has it.
 */
import { isErrno } from '../../lib/base/errors.ts';
import { bitsOf, formatAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import { writeAlone } from '../../lib/mooring/host.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../lib/mooring/marks.ts';
import { lastOf } from '../../lib/mooring/records.ts';
import { addressAddition, listAddresses } from '../../lib/netlink/address.ts';
import { labelling, linkChange } from '../../lib/netlink/link-change.ts';
import { createAndFind } from '../../lib/netlink/link-creation.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { listRoutes, routeAddition, routeRemoval } from '../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { admitHost } from '../../lib/nftables/guard/guard.ts';
import { ensureSysctlIfPresent } from '../../lib/system/sysctl.ts';
import { KIND } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';
import { everyOther } from './guard.ts';
import { mooredPort } from './moored.ts';
import { hostIfnameFor, hostMacFor } from './names.ts';
import type { Work } from './work.ts';

const SCOPE_GLOBAL = 0;

/** As it is, whether it has just been made or not. */
function ensureHostLink({ host }: Work, master: Link, machine: string): Link {
  const name = hostIfnameFor(master.index);
  const found = findLink(host.route, name);
  if (found?.kind === 'macvlan') return found;
  const creation = macvlanCreation({
    name,
    mac: hostMacFor(machine, master.name),
    master: master.index,
    mode: 'bridge',
  });
  try {
    return createAndFind(host.route, [creation, labelling({ name }, ALIAS)], name);
  } catch (error) {
    const raced = isErrno(error, 'EEXIST') ? findLink(host.route, name) : undefined;
    if (raced?.kind === 'macvlan') return raced;
    throw error;
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
    .filter(({ prefix, scope }) => prefix.address.family === 6 && scope === SCOPE_GLOBAL)
    .map(({ prefix: { address } }) => ({ address, length: 128 }));
}

function wholeOf(address: Address): Prefix {
  return { address, length: bitsOf(address.family) };
}

/** Those that lie on the LAN alone would be ambiguous on the host, which has other LANs. */
function destinationsOf({ addresses }: MacvlanRecord): Prefix[] {
  return addresses
    .map(({ address }) => parsePrefix(address).address)
    .filter((address) => address.family === 4 || address.value >> 118n !== 0x3fan)
    .map(wholeOf);
}

/** Source addresses that the containers know the host by: those of the master. */
function sourceFor(route: NetlinkSocket, master: Link, address: Address): Address | undefined {
  return listAddresses(route, master.index).find(
    ({ prefix, scope }) => prefix.address.family === address.family && scope === SCOPE_GLOBAL,
  )?.prefix.address;
}

/** Gives host and container a way to each other. */
export function giveAccess(work: Work, record: MacvlanRecord, master: Link, undo: UndoStack): void {
  const { host, request } = work;
  const { route, netfilter } = host;
  undo.push(`leave the host's macvlan on ${master.name}`, () => {
    writeAlone(host, (tx, ask) => {
      if (lastOf(tx, ask, { name: KIND }, record).onSegment) removeAccess(host, record);
    });
  });
  const link = ensureHostLink(work, master, request.config.machine);
  quieten(link.name);
  admitHost(netfilter, { name: master.name, index: master.index }, link.mac ?? '', () => [
    ...everyOther(host, record),
    ...[mooredPort(record) ?? []].flat(),
  ]);
  const addresses = hostAddresses(route, master).map((prefix) =>
    addressAddition(
      link.index,
      prefix,
      { dad: false, protocol: IFAPROT_NETMOOR },
      `give ${formatAddress(prefix.address)} to ${link.name}`,
    ),
  );
  const raise = linkChange(link.index, { up: true }, `raise ${link.name}`);
  const routes = destinationsOf(record).map((destination) =>
    routeAddition(
      { destination, interface: link.index, source: sourceFor(route, master, destination.address) },
      `add the host's route to ${formatAddress(destination.address)}`,
    ),
  );
  undo.push("remove the host's routes", () => removeRoutes(host, record));
  const { failures } = route.exchange([raise, ...addresses, ...routes]);
  const failure = failures.find(({ error }) => !isErrno(error, 'EEXIST'));
  if (failure) throw failure.error;
  host.step('attach: host access given');
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
  if (link === undefined) return;
  const requests = destinationsOf(record).map((destination) =>
    routeRemoval(
      { destination, interface: link.index },
      `remove the host's route to ${formatAddress(destination.address)}`,
    ),
  );
  const { failures } = host.route.exchange(requests);
  const failure = failures.find(({ error }) => !isErrno(error, 'ESRCH'));
  if (failure) throw failure.error;
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
  const present = ([4, 6] as const).flatMap((family) => listRoutes(route, family));
  const missing = destinationsOf(record).filter(
    ({ address, length }) =>
      !present.some(
        ({ destination, interface: out }) =>
          out === link.index && destination.length === length && destination.address.value === address.value,
      ),
  );
  return missing.map(({ address }) => `the host lacks the route to ${formatAddress(address)}`);
}
