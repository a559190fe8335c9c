/** Bringing the host's routing rules and tables to what egresses say, and taking them away again. */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { formatPrefix } from '../../../lib/base/ip.ts';
import type { Family } from '../../../lib/base/ip.ts';
import { sha256 } from '../../../lib/base/sha256.ts';
import { RTPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import { listLinks } from '../../../lib/netlink/link.ts';
import { listRoutesIn, routeAddition, routeRemoval } from '../../../lib/netlink/route.ts';
import type { Route, TableRoute } from '../../../lib/netlink/route.ts';
import { listRules, ruleAddition, ruleRemoval } from '../../../lib/netlink/rule.ts';
import type { RuleState } from '../../../lib/netlink/rule.ts';
import type { NetlinkRequest, NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { hasIpv6 } from '../../../lib/system/sysctl.ts';
import type { EgressConfig } from './config.ts';
import { RULE_PRIORITY, isSameRoute, nowhere, ruleFor, waysIn, waysOut } from './plan.ts';
import type { Egress, Sight } from './plan.ts';

/** Of routing tables, out of everybody's way; they are told in decimal numbers. */
const FIRST_TABLE = 0x6d0000;
const TABLES = 0x10000;
const TRIES = 16;

/** Those that the host speaks. */
export function families(): readonly Family[] {
  return hasIpv6() ? [4, 6] : [4];
}

export function look(route: NetlinkSocket): Sight {
  return { links: listLinks(route), addresses: listAddresses(route, 0) };
}

export function isOurs({ protocol, priority, iif, action }: RuleState): boolean {
  return (
    protocol === RTPROT_NETMOOR && priority === RULE_PRIORITY && iif !== undefined && action === 'lookup'
  );
}

/** All rules of netmoor's, in both families. */
export function ownRules(route: NetlinkSocket): RuleState[] {
  return listRules(route).filter(isOurs);
}

/** Whether bridges but this one have ways out of their own: the tables hold them, too. */
export function hasWaysBeside(route: NetlinkSocket, bridge: string | undefined): boolean {
  return ownRules(route).some(({ iif }) => iif !== bridge);
}

/** The table by which a bridge goes; undefined when it goes as the host does. */
export function tableOfBridge(route: NetlinkSocket, bridge: string): number | undefined {
  return ownRules(route).find(({ iif }) => iif === bridge)?.table;
}

function isFree(route: NetlinkSocket, table: number, rules: readonly RuleState[]): boolean {
  if (rules.some((rule) => rule.table === table)) return false;
  return families().every((family) =>
    listRoutesIn(route, family, { table }).every(({ protocol }) => protocol === RTPROT_NETMOOR),
  );
}

/** The table of an egress: the same for the same bridge and egress each time, unless somebody else has it. */
export function chooseTable(
  route: NetlinkSocket,
  bridge: string,
  { interfaces, via, proxy }: EgressConfig,
): number {
  const digest = sha256(JSON.stringify([bridge, interfaces, via, proxy !== undefined]));
  const start = digest.readUInt16BE(0);
  const rules = listRules(route);
  const tables = Array.from({ length: TRIES }, (_, step) => FIRST_TABLE + ((start + step) % TABLES));
  const present = rules.find((rule) => isOurs(rule) && rule.iif === bridge)?.table;
  if (present !== undefined && tables.includes(present)) return present;
  const table = tables.find((each) => isFree(route, each, rules));
  if (table !== undefined) return table;
  throw new NetmoorError(
    'not-available',
    `no routing table is free for bridge ${bridge}: ${tables[0]} and those behind it are in use`,
    '"ip rule" and "ip route show table N" tell by whom; "netmoor gc" removes what netmoor has left behind',
  );
}

/** The routes of a table that there should be, and what there is. */
export function routesOf(
  route: NetlinkSocket,
  egress: Egress,
  sight: Sight,
  family: Family,
): { readonly wanted: readonly Route[]; readonly present: readonly TableRoute[] } {
  const wanted = [
    nowhere(egress, family),
    ...waysIn(egress, sight, family),
    ...waysOut(egress, sight, family),
  ];
  return { wanted, present: listRoutesIn(route, family, egress) };
}

/** A default route that is not promised leads past the interfaces; subnets of the bridge may be another range's. */
export function isStray({ destination, interface: index }: Route, bridge: number | undefined): boolean {
  return destination.length === 0 || index !== bridge;
}

function changesOf(route: NetlinkSocket, egress: Egress, sight: Sight, family: Family): NetlinkRequest[] {
  const { bridge, table } = egress;
  const { wanted, present } = routesOf(route, egress, sight, family);
  const index = sight.links.find(({ name }) => name === bridge)?.index;
  const stray = present.filter(
    (each) => isStray(each, index) && !wanted.some((other) => isSameRoute(each, other)),
  );
  const missing = wanted.filter((each) => !present.some((other) => isSameRoute(each, other)));
  const mine = listRules(route, family).filter((rule) => isOurs(rule) && rule.iif === bridge);
  const what = (each: Route): string => `route ${formatPrefix(each.destination)} of table ${table}`;
  const rule = `the IPv${family} rule for bridge ${bridge}`;
  return [
    ...stray.map((each) => routeRemoval(each, `remove ${what(each)}`)),
    ...missing.map((each) => routeAddition(each, `add ${what(each)}`)),
    ...(mine.some((each) => each.table === table)
      ? []
      : [ruleAddition(ruleFor(egress, family), `add ${rule}`)]),
    ...mine
      .filter((each) => each.table !== table)
      .map((each) => ruleRemoval({ ...each, action: 'lookup' }, `remove ${rule}`)),
  ];
}

/** Others were faster, or the interface went away while we looked: that is told, and looked at again. */
const PASSING = ['EEXIST', 'ENOENT', 'ESRCH', 'ENODEV', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH'] as const;

/**
 * Makes rules and routes what they should be, from whatever is there; how many things had to be changed. Repeating it
 * changes nothing. Throws SystemError.
 */
export function standEgress(route: NetlinkSocket, egress: Egress, sight: Sight = look(route)): number {
  const requests = families().flatMap((family) => changesOf(route, egress, sight, family));
  const { failures } = route.exchange(requests);
  const failure = failures.find(({ error }) => !isErrno(error, ...PASSING));
  if (failure) throw failure.error;
  return requests.length - failures.length;
}

/** Leads to a table again that is there still; how many rules there were to make. Throws SystemError. */
export function leadAgain(route: NetlinkSocket, way: Pick<Egress, 'bridge' | 'table'>): number {
  const requests = families().map((family) =>
    ruleAddition(ruleFor(way, family), `add the IPv${family} rule for bridge ${way.bridge}`),
  );
  const { failures } = route.exchange(requests);
  const failure = failures.find(({ error }) => !isErrno(error, ...PASSING));
  if (failure) throw failure.error;
  return requests.length - failures.length;
}

/** Takes away the rules for a bridge, and the tables that they lead to, or this one, as far as they are ours. */
export function leaveEgress(route: NetlinkSocket, bridge: string, known?: number): void {
  const rules = ownRules(route).filter(({ iif }) => iif === bridge);
  const others = ownRules(route).filter(({ iif }) => iif !== bridge);
  const tables = new Set([...(known === undefined ? [] : [known]), ...rules.map(({ table = 0 }) => table)]);
  const going = [...tables].filter((table) => !others.some((rule) => rule.table === table));
  route.requestAll(
    [
      ...rules.map((rule) =>
        ruleRemoval({ ...rule, action: 'lookup' }, `remove the IPv${rule.family} rule for bridge ${bridge}`),
      ),
      ...going.flatMap((table) => tableRemoval(route, table)),
    ],
    ...PASSING,
  );
}

/** Whether a table is one of those that ways out are kept in. */
export function isOfEgress(table: number): boolean {
  return table >= FIRST_TABLE && table < FIRST_TABLE + TABLES;
}

/** Removes the routes of a table that are ours. */
export function tableRemoval(route: NetlinkSocket, table: number): NetlinkRequest[] {
  return families().flatMap((family) =>
    listRoutesIn(route, family, { table, protocol: RTPROT_NETMOOR }).map((each) =>
      routeRemoval(each, `remove route ${formatPrefix(each.destination)} of table ${table}`),
    ),
  );
}
