/**
 * Members of a bridge: interfaces of the host as its ports, taken in and given back.
 *
 * Each bears a further name from before it is touched until it is given back entirely, which says of which bridge it is
 * and whether its addresses are to move. So whoever goes on after a process that died on the way knows what to do, in
 * whatever store the record was. What is moved is on both interfaces for a moment, never on none: the card's own MAC
 * address is the bridge's meanwhile, and neighbours notice nothing.
 */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { formatPrefix } from '../../../lib/base/ip.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import type { InterfaceAddress } from '../../../lib/netlink/address.ts';
import { altNameRemoval, altNaming } from '../../../lib/netlink/alt-name.ts';
import {
  belongingsOf,
  copyBelongings,
  removeBelongings,
  sharedRoutes,
} from '../../../lib/netlink/belongings.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import { IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP, IF_OPER_UP } from '../../../lib/netlink/link-message.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { RT_SCOPE_UNIVERSE } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { untilLinkUp } from '../../../lib/netlink/watch.ts';
import { ensureSysctlIfPresent, readSysctlIfPresent } from '../../../lib/system/sysctl.ts';
import { refuseOtherKind } from './foreign-bridge.ts';
import type { Member } from './members.ts';
import { isHostIfname, isMemberMark, memberMarkFor, memberNameFor } from '../names.ts';
import type { Return } from '../names.ts';

/** A bridge with a port that is up is up at once; what holds it down does not hold the host's way out. */
const BRIDGE_UP_MS = 1000;

function refuse(message: string, advice: string, cause?: unknown): never {
  throw new NetmoorError('bad-config', `members: ${message}`, advice, { cause });
}

function addressesOf(route: NetlinkSocket, index: number): InterfaceAddress[] {
  return listAddresses(route, index).filter(({ scope }) => scope === RT_SCOPE_UNIVERSE);
}

/** "bridge nm-web (network web)" */
function ownerOf({ route, store }: Host, index: number): string {
  const link = findLink(route, index);
  if (link === undefined) return `interface #${index}`;
  const networks = store.read((tx) => tx.attachments({ segment: link.name }).map(({ network }) => network));
  const used = networks.length > 0 ? ` (network ${[...new Set(networks)].join(', ')})` : '';
  return `${link.kind ?? 'interface'} ${link.name}${used}`;
}

function refuseUnfit(host: Host, member: Member, link: Link, bridge: Link | undefined): void {
  const { name, master, flags, kind, index } = link;
  if (flags & IFF_LOOPBACK) refuse(`${name} is the loopback interface`, 'name another interface');
  if (kind === 'bridge')
    refuse(`${name} is a bridge itself`, `set "bridge" to "${name}" to have the containers plugged into it`);
  if (master !== undefined && master !== bridge?.index)
    refuse(`${name} is a port of ${ownerOf(host, master)}`, 'take it out there, or name another interface');
  if (isHostIfname(name)) refuse(`${name} is a container's`, 'name an interface of the host');
  if (master !== undefined) return;
  if (member.moveAddresses) {
    refuseUnmovable(host.route, link, bridge);
    return;
  }
  const addresses = addressesOf(host.route, index);
  if (addresses.length === 0 || member.moveAddresses === false) return;
  refuse(
    `${name} has ${addresses.map(({ prefix }) => formatPrefix(prefix)).join(', ')}, which nobody reaches on a port`,
    'set "moveAddresses" to true to have the bridge take them over, or to false to do without them',
  );
}

function refuseUnmovable(route: NetlinkSocket, link: Link, bridge: Link | undefined): void {
  const [shared] = sharedRoutes(route, link.index);
  if (shared !== undefined)
    refuse(
      `the route to ${shared} has several ways, or is by a nexthop object, and leads through ${link.name}`,
      'take it away, and bring it back through the bridge',
    );
  if (bridge === undefined) return;
  if (bridge.alias !== ALIAS)
    refuse(
      `bridge ${bridge.name} was not made by netmoor, which leaves its addresses alone`,
      `give ${bridge.name} the addresses of ${link.name} yourself, or name another bridge`,
    );
  const other = membersOn(listLinks(route), bridge.name).find(
    (each) => each.how === 'moving' && each.link.index !== link.index,
  );
  if (other !== undefined)
    refuse(`bridge ${bridge.name} has the addresses of ${other.link.name} already`, 'name another bridge');
}

/** The interface of that name when it was taken in, whatever it is called by now; else the one of that name. */
export function findMember(route: NetlinkSocket, bridge: string, name: string): Link | undefined {
  return findLink(route, memberNameFor(bridge, name)) ?? findLink(route, name);
}

/** Those that are there. Throws NetmoorError('bad-config') for one that is missing, or that cannot be a port. */
export function findMembers(
  host: Host,
  bridge: string,
  members: readonly Member[],
): { readonly member: Member; readonly link: Link }[] {
  const existing = findLink(host.route, bridge);
  if (existing) refuseOtherKind(existing);
  return members.flatMap((member) => {
    const link = findMember(host.route, bridge, member.interface);
    if (link !== undefined) {
      refuseUnfit(host, member, link, existing);
      return { member, link };
    }
    if (member.optional) return [];
    return refuse(
      `there is no interface ${member.interface}`,
      'name one that "ip link" shows, or set "optional" to true to do without it until it comes',
    );
  });
}

interface MemberPort {
  readonly link: Link;
  /** "moving": its addresses are the bridge's for the time being. */
  readonly how: Return;
}

/** What netmoor has made, or is about to make, a port of a bridge of that name. */
export function membersOn(links: readonly Link[], bridge: string): MemberPort[] {
  return links.flatMap((link) => {
    if (!isMember(link)) return [];
    const ways = ['moving', 'down', 'as-is'] as const;
    const how = ways.find((each) => link.altNames?.includes(memberMarkFor(bridge, link.index, each)));
    return how ? { link, how } : [];
  });
}

/** Whether netmoor has made an interface a port of some bridge. */
export function isMember({ altNames = [] }: Link): boolean {
  return altNames.some(isMemberMark);
}

/** Whether a port is reason to leave a bridge where it is: no member, or a tap device with a carrier: a machine's. */
export function keepsBridge(port: Link): boolean {
  return !isMember(port) || (port.kind === 'tun' && (port.flags & IFF_LOWER_UP) !== 0);
}

function whyNot(name: string, error: unknown): never {
  if (isErrno(error, 'EOPNOTSUPP', 'EINVAL'))
    refuse(
      `the kernel takes ${name} for no port: it is no Ethernet, or a wireless card, which sends for itself alone`,
      'name another interface',
      error,
    );
  if (isErrno(error, 'EBUSY', 'ELOOP'))
    refuse(
      `${name} is in use by something that stands on it, a macvlan, a VLAN of the bridge`,
      'end that first',
      error,
    );
  throw error;
}

/**
 * Makes the member a port of the bridge, which is up, and moves what is to be moved; it may be repeated. One that
 * somebody else has plugged in is left as it is.
 */
function adopt(
  { route, world, step }: Host,
  bridge: Link,
  { member, link }: ReturnType<typeof findMembers>[number],
): void {
  const { index, name } = link;
  const known = membersOn([link], bridge.name)[0]?.how;
  const plugged = link.master === bridge.index;
  if (plugged && known === undefined) return;
  const how = howToReturn(member, link, known);
  const moving = how === 'moving';
  // What somebody's DHCP client has given to the port meanwhile is the bridge's, too.
  if (plugged && known === how && (!moving || addressesOf(route, index).length === 0)) return;
  if (known !== how) mark(route, bridge, link, how, member.interface);
  step('attach: member marked');
  try {
    if (moving) resemble(route, bridge, link);
    if (!plugged)
      route.request(linkChange(index, { master: bridge.index }, `make ${name} a port of ${bridge.name}`));
    if ((link.flags & IFF_UP) === 0) route.request(linkChange(index, { up: true }, `raise ${name}`));
  } catch (error) {
    giveBack(route, bridge, [{ link, how }]);
    whyNot(name, error);
  }
  step('attach: member plugged in');
  if (!moving) return;
  const belongings = belongingsOf(route, index);
  copyBelongings(route, belongings, bridge.index);
  step('attach: addresses copied');
  if (link.operstate === IF_OPER_UP) untilLinkUp(route, bridge.index, BRIDGE_UP_MS, world.monotonic);
  removeBelongings(route, belongings);
  step('attach: addresses moved');
}

/** As it was when it was taken in; addresses may begin to move later on. */
function howToReturn({ moveAddresses }: Member, { flags }: Link, known: Return | undefined): Return {
  if (moveAddresses || known === 'moving') return 'moving';
  return known ?? ((flags & IFF_UP) === 0 ? 'down' : 'as-is');
}

function mark(route: NetlinkSocket, bridge: Link, { index, name }: Link, how: Return, called: string): void {
  const marks = [memberMarkFor(bridge.name, index, how), memberNameFor(bridge.name, called)];
  const op = `mark ${name} as a port of ${bridge.name}`;
  route.requestAll(
    marks.map((each) => altNaming(index, each, op)),
    'EEXIST',
  );
}

/** Which routers are heard, and whether temporary addresses (RFC 8981) are made and preferred. */
const AS_THE_CARD = ['accept_ra', 'use_tempaddr'] as const;

/** Neighbours and DHCP servers know the card by its MAC address; routers are heard as they were. */
function resemble(route: NetlinkSocket, bridge: Link, { mac, name }: Link): void {
  if (mac !== undefined && bridge.mac !== mac)
    route.request(linkChange(bridge.index, { mac }, `give ${bridge.name} the address of ${name}`));
  const of = (link: string, key: string): string[] => ['net', 'ipv6', 'conf', link, key];
  if (readSysctlIfPresent(...of(name, 'disable_ipv6')) !== '0') return;
  ensureSysctlIfPresent('0', ...of(bridge.name, 'accept_dad'));
  ensureSysctlIfPresent('0', ...of(bridge.name, 'disable_ipv6'));
  for (const key of AS_THE_CARD) {
    const value = readSysctlIfPresent(...of(name, key));
    if (value !== undefined) ensureSysctlIfPresent(value, ...of(bridge.name, key));
  }
}

/** Whether a bridge stands for a card of the host: it hears routers, and has IPv6, for that one's sake. */
export function standsForMember(route: NetlinkSocket, bridge: string): boolean {
  return membersOn(listLinks(route), bridge).some(({ how }) => how === 'moving');
}

/**
 * Makes all that are there ports of the bridge, which is raised for it; it may be repeated. Returns the bridge as it is
 * then. Throws NetmoorError, SystemError.
 */
export function ensureMembers(host: Host, bridge: Link, members: readonly Member[]): Link {
  if (members.length === 0) return bridge;
  const found = findMembers(host, bridge.name, members);
  if (found.length === 0) return bridge;
  if ((bridge.flags & IFF_UP) === 0)
    host.route.request(linkChange(bridge.index, { up: true }, `raise bridge ${bridge.name}`));
  for (const each of found) adopt(host, bridge, each);
  return findLink(host.route, bridge.index) ?? bridge;
}

/** What is down has no routes: the kernel takes them away with it, and refuses further ones. */
function isUp(route: NetlinkSocket, index: number): boolean {
  return ((findLink(route, index)?.flags ?? 0) & IFF_UP) !== 0;
}

/**
 * Takes members out of their bridge, and gives back the addresses and routes that it has, but for netmoor's own. What
 * is gone is fine; so is a bridge that is gone (undefined), with which addresses are gone.
 */
export function giveBack(
  route: NetlinkSocket,
  bridge: Link | undefined,
  members: readonly MemberPort[],
): void {
  for (const { link, how } of members) {
    const { index, name, master } = link;
    const stays = ({ protocol }: InterfaceAddress): boolean => protocol === IFAPROT_NETMOOR;
    const belongings = bridge && how === 'moving' ? belongingsOf(route, bridge.index, stays) : undefined;
    if (belongings)
      copyBelongings(route, isUp(route, index) ? belongings : { ...belongings, routes: [] }, index);
    if (bridge && master !== undefined && findLink(route, index)?.master === bridge.index)
      route.request(linkChange(index, { master: 0 }, `take ${name} out of ${bridge.name}`));
    if (belongings) removeBelongings(route, belongings);
    if (how === 'down') route.request(linkChange(index, { up: false }, `lower ${name}`));
    unmark(route, link);
  }
}

/** The last thing: until then it is known what is left to do. */
export function unmark(route: NetlinkSocket, { index, name, altNames = [] }: Link): void {
  const marks = (findLink(route, index)?.altNames ?? altNames).filter(isMemberMark);
  route.requestAll(
    marks.map((altName) => altNameRemoval(index, altName, `take the mark off ${name}`)),
    ...['ENOENT', 'EINVAL', 'ENODEV'],
  );
}

/** How the host differs from what ensureMembers() has made, in words. */
export function verifyMembers(
  { route }: Pick<Host, 'route'>,
  bridge: Link,
  members: readonly Member[],
): string[] {
  return members.flatMap(({ interface: name, optional }) => {
    const link = findMember(route, bridge.name, name);
    if (link === undefined) return optional ? [] : [`member ${name} of ${bridge.name} is gone`];
    return link.master === bridge.index ? [] : [`member ${name} is not plugged into ${bridge.name}`];
  });
}
