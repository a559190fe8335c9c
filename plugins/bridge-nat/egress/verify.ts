/** How a network's way out differs from what was promised, in words. */
import { formatAddress, formatPrefix } from '../../../lib/base/ip.ts';
import type { Family } from '../../../lib/base/ip.ts';
import { IFF_UP } from '../../../lib/netlink/link-message.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import type { Route } from '../../../lib/netlink/route.ts';
import { listRules } from '../../../lib/netlink/rule.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { fits, isPointToPoint, isSameRoute, waysOut } from './plan.ts';
import type { Egress, Sight } from './plan.ts';
import { families, isOurs, isStray, look, routesOf } from './stand.ts';

function nameOf(index: number | undefined, { links }: Sight): string {
  return links.find((link) => link.index === index)?.name ?? `interface #${index}`;
}

function describe(route: Route, sight: Sight): string {
  const { destination, gateway, unreachable } = route;
  if (unreachable) return `unreachable ${formatPrefix(destination)}`;
  const via = gateway === undefined ? '' : ` via ${formatAddress(gateway)}`;
  return `${formatPrefix(destination)}${via} dev ${nameOf(route.interface, sight)}`;
}

function verifyFamily(route: NetlinkSocket, egress: Egress, sight: Sight, family: Family): string[] {
  const { bridge, table } = egress;
  const rules = listRules(route, family).filter((rule) => isOurs(rule) && rule.iif === bridge);
  const { wanted, present } = routesOf(route, egress, sight, family);
  const index = sight.links.find(({ name }) => name === bridge)?.index;
  const title = `IPv${family}: routing table ${table}`;
  return [
    ...(rules.some((rule) => rule.table === table)
      ? []
      : [`IPv${family}: the rule "iif ${bridge} lookup ${table}" is missing`]),
    ...wanted
      .filter((each) => !present.some((other) => isSameRoute(each, other)))
      .map((each) => `${title} lacks ${describe(each, sight)}`),
    ...present
      .filter((each) => isStray(each, index) && !wanted.some((other) => isSameRoute(each, other)))
      .map((each) => `${title} has ${describe(each, sight)}, which nobody promised`),
  ];
}

/** Why nothing leaves by it. */
function whyNot(link: Link): string {
  if ((link.flags & IFF_UP) === 0) return `${link.name} is down`;
  if (!isPointToPoint(link)) return `no "via" is on the link of ${link.name}, or it has no address`;
  return `${link.name} has no address`;
}

/** Why there is no way out now; undefined when there is one, or none is wanted. */
export function whyNoWay(egress: Egress, sight: Sight): string | undefined {
  const { interfaces } = egress;
  if (interfaces.length === 0) return undefined;
  if (families().some((family) => waysOut(egress, sight, family).length > 0)) return undefined;
  return interfaces
    .flatMap((pattern) => {
      const links = sight.links.filter(({ name }) => fits(pattern, name));
      return links.length === 0 ? [`there is no ${pattern}`] : links.map(whyNot);
    })
    .join(', ');
}

const NO_WAY = 'no way out now: ';

/** Whether nothing but its interface's return puts an end to this difference. */
export function isStranded(difference: string): boolean {
  return difference.startsWith(NO_WAY);
}

/** What can be mended: rules and routes. */
export function verifyRouting(route: NetlinkSocket, egress: Egress, sight: Sight = look(route)): string[] {
  return families().flatMap((family) => verifyFamily(route, egress, sight, family));
}

export function verifyEgress(route: NetlinkSocket, egress: Egress): string[] {
  const sight = look(route);
  const why = whyNoWay(egress, sight);
  return [
    ...verifyRouting(route, egress, sight),
    ...(why === undefined ? [] : [`${NO_WAY}${why}; nothing leaks`]),
  ];
}
