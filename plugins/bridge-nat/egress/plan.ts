/**
 * Which ways out there are for a network with an egress of its own, and the routes and rules that stand for them. Pure.
 *
 * `ip rule` sends what comes in by the bridge to a table of its own. In it a default route that leads nowhere lies
 * beneath those through the interfaces: the kernel drops routes with their interface, and then that one is left. With
 * it are the network's own subnets, for what is redirected from one container to another.
 */
import { isLinkLocal, parseAddress, parsePrefix, prefixContains, sameAddress } from '../../../lib/base/ip.ts';
import type { Address, Family, Prefix } from '../../../lib/base/ip.ts';
import { RTPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import type { InterfaceAddress } from '../../../lib/netlink/address.ts';
import { IFF_NOARP, IFF_POINTOPOINT, IFF_UP } from '../../../lib/netlink/link-message.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import type { Route } from '../../../lib/netlink/route.ts';
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from '../../../lib/netlink/route.ts';
import type { Rule } from '../../../lib/netlink/rule.ts';
import type { BridgeNatRecord } from '../detail.ts';

/** What is promised to a network, from the record of any of its attachments. */
export interface Egress {
  readonly bridge: string;
  readonly table: number;
  /** Empty: nothing leaves. */
  readonly interfaces: readonly string[];
  readonly via: readonly Address[];
  readonly subnets: readonly Prefix[];
}

/** The host's links and all their addresses. */
export interface Sight {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
}

/**
 * Behind the rule for the host's own addresses (0), before everybody else's: gateway and published ports stay what they
 * are, and no rule leads past ours.
 */
export const RULE_PRIORITY = 109;
/** Of the route that leads nowhere: behind all others there can be. */
const LAST = 0xffffffff;
/** A place in the list has room for so many interfaces of one pattern. */
const RANKS = 1000;

function defaultRoute(family: Family): Prefix {
  return { address: { family, value: 0n }, length: 0 };
}

/** Undefined: it goes as the host goes. */
export function egressOf({ detail, segment }: BridgeNatRecord): Egress | undefined {
  const { egress, subnets } = detail;
  if (egress === undefined || segment === undefined) return undefined;
  return {
    bridge: segment,
    table: egress.table,
    interfaces: egress.interfaces,
    via: (egress.via ?? []).map(parseAddress),
    subnets: subnets.map(parsePrefix),
  };
}

export function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** The interfaces there are, the preferred one first; of a pattern tun2 before tun10. */
function candidates({ interfaces }: Egress, { links }: Sight): { link: Link; priority: number }[] {
  const seen = new Set<string>();
  return interfaces.flatMap((pattern, place) => {
    const fitting = links.filter(({ name }) => fits(pattern, name) && !seen.has(name));
    return fitting
      .sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
      .map((link, rank) => {
        seen.add(link.name);
        return { link, priority: (place + 1) * RANKS + rank };
      });
  });
}

/** Whether there is nobody to be asked for by address at the other end, or but one. */
export function isPointToPoint({ flags }: Link): boolean {
  return (flags & (IFF_POINTOPOINT | IFF_NOARP)) !== 0;
}

function ownPrefixes({ index }: Link, { addresses }: Sight, family: Family): Prefix[] {
  return addresses
    .filter(({ prefix, scope }) => prefix.address.family === family && scope < RT_SCOPE_LINK)
    .filter((address) => address.index === index)
    .map(({ prefix }) => prefix);
}

/** The gateway that is on the interface's own link. */
function gatewayOn({ via }: Egress, own: readonly Prefix[], family: Family): Address | undefined {
  return via.find(
    (address) =>
      address.family === family &&
      (isLinkLocal(address) || own.some((prefix) => prefixContains(prefix, address))),
  );
}

/**
 * The default routes of one family. An interface without an address of the family does not lead anywhere in it: a
 * tunnel for IPv4 alone would swallow IPv6, where its unreachability lets programs turn to IPv4 at once.
 */
export function waysOut(egress: Egress, sight: Sight, family: Family): Route[] {
  return candidates(egress, sight).flatMap(({ link, priority }) => {
    const own = ownPrefixes(link, sight, family);
    if ((link.flags & IFF_UP) === 0 || own.length === 0) return [];
    const gateway = isPointToPoint(link) ? undefined : gatewayOn(egress, own, family);
    if (gateway === undefined && !isPointToPoint(link)) return [];
    const base = { destination: defaultRoute(family), interface: link.index, priority, table: egress.table };
    const through = gateway === undefined ? {} : { gateway, onLink: true };
    return [{ ...base, ...through, protocol: RTPROT_NETMOOR }];
  });
}

/** The way to the network itself. */
export function waysIn({ bridge, subnets, table }: Egress, { links }: Sight, family: Family): Route[] {
  const link = links.find(({ name }) => name === bridge);
  if (link === undefined || (link.flags & IFF_UP) === 0) return [];
  return subnets
    .filter(({ address }) => address.family === family)
    .map((destination) => ({ destination, interface: link.index, table, protocol: RTPROT_NETMOOR }));
}

export function nowhere({ table }: Pick<Egress, 'table'>, family: Family): Route {
  const scope = RT_SCOPE_UNIVERSE;
  const route = { destination: defaultRoute(family), priority: LAST, table, scope };
  return { ...route, unreachable: true, protocol: RTPROT_NETMOOR };
}

export function ruleFor({ bridge, table }: Pick<Egress, 'bridge' | 'table'>, family: Family): Rule {
  const base = { family, iif: bridge, table, priority: RULE_PRIORITY, protocol: RTPROT_NETMOOR };
  return { ...base, action: 'lookup' };
}

/** Whether two routes of one table are the same to the kernel: metric 0 of IPv6 is 1024 there. */
export function isSameRoute(a: Route, b: Route): boolean {
  const metric = ({ destination, priority = 0 }: Route): number =>
    priority === 0 && destination.address.family === 6 ? 1024 : priority;
  const sameGateway =
    a.gateway === undefined || b.gateway === undefined
      ? a.gateway === b.gateway
      : sameAddress(a.gateway, b.gateway);
  return (
    sameGateway &&
    a.destination.length === b.destination.length &&
    sameAddress(a.destination.address, b.destination.address) &&
    metric(a) === metric(b) &&
    (a.unreachable ?? false) === (b.unreachable ?? false) &&
    (a.unreachable === true || a.interface === b.interface)
  );
}
