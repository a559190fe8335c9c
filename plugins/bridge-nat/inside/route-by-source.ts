/**
 * Source-based routing in the container, as the reference sbr plugin does it: for each address of the interface a rule
 * that leads what is sent from it to a table of its own, a default route by its gateway there, and there the routes of
 * the interface, which leave the main table. Its rules bear netmoor's mark; the routes go with the interface.
 *
 * Other than the reference, the way to link-local addresses stays in the main table as well, and a rule is only ever
 * removed by its mark.
 */
import {
  formatAddress,
  isLinkLocal,
  parseAddress,
  parsePrefix,
  prefixContains,
  sameAddress,
} from '../../../lib/base/ip.ts';
import type { Address, Prefix } from '../../../lib/base/ip.ts';
import type { UndoStack } from '../../../lib/base/undo.ts';
import type { Sandbox } from '../../../lib/mooring/sandbox.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listRoutes, routeAddition, routeRemoval } from '../../../lib/netlink/route.ts';
import type { Route, RouteState } from '../../../lib/netlink/route.ts';
import { listRules, ruleAddition } from '../../../lib/netlink/rule.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { withNetnsLock } from '../../../lib/system/lock.ts';
import type { BridgeNatRecord } from '../detail.ts';
import type { SourceRouting } from './source-routing.ts';
import { removeRules, sourceRule } from './source-rules.ts';

const MAIN_TABLE = 254; // linux/rtnetlink.h RT_TABLE_MAIN
/** Where the reference begins to look for a free one. */
const FIRST_TABLE = 100;
const FAMILIES = [4, 6] as const;

/** The first table from `candidate` on that no rule leads to and no route is in. */
function freeTable(taken: ReadonlySet<number>, candidate: number): number {
  let table = candidate;
  while (taken.has(table) || (table > 252 && table < 256)) table++;
  return table;
}

/** The routes of the interface that what is sent from an address needs: those of its subnet, and by its gateways. */
function routesFor(prefix: Prefix, routes: readonly Route[]): Route[] {
  return routes.filter(({ destination, source, gateway }) => {
    if (destination.address.family !== prefix.address.family) return false;
    if (source === undefined && gateway === undefined) return true;
    return [source, gateway].some((each) => each !== undefined && prefixContains(prefix, each));
  });
}

/** The subnets of an address to which what the container sends without a source is to find its way, too. */
function isSubnet({ destination, gateway }: Route): boolean {
  return gateway === undefined && destination.length > 0;
}

interface Placed {
  readonly prefix: Prefix;
  readonly gateway: Address | undefined;
  readonly table: number;
}

/** The default route by the gateway, as the network configured it where it did. */
function defaultsBy({ prefix, gateway, table }: Placed, index: number, present: readonly Route[]): Route[] {
  const defaults = present.filter(({ destination }) => destination.length === 0);
  if (gateway === undefined) return defaults;
  const configured = defaults.filter((route) => route.gateway && sameAddress(route.gateway, gateway));
  if (configured.length > 0) return configured;
  const { family } = prefix.address;
  return [{ destination: { address: { family, value: 0n }, length: 0 }, gateway, interface: index, table }];
}

function place(record: BridgeNatRecord, wanted: SourceRouting, taken: Set<number>): Placed[] {
  const gateways = wanted.gateways.map(parseAddress);
  let next = FIRST_TABLE;
  return record.addresses.map(({ address, gateway }) => {
    const prefix = parsePrefix(address);
    const given = gateways.find(({ family }) => family === prefix.address.family);
    const table = wanted.table ?? freeTable(taken, next);
    next = table + 1;
    return { prefix, gateway: given ?? (gateway === undefined ? undefined : parseAddress(gateway)), table };
  });
}

function moveRoutes(
  socket: NetlinkSocket,
  link: Link,
  placed: readonly Placed[],
  keepSubnets: boolean,
): void {
  const own = FAMILIES.flatMap((family) => listRoutes(socket, family)).filter(
    ({ interface: index, table }) => index === link.index && table === MAIN_TABLE,
  );
  for (const each of placed) {
    const needed = routesFor(each.prefix, own).map((route) => ({ ...route, table: each.table }));
    // Subnets first, by which the gateways are reached.
    const others = needed.filter(({ destination }) => destination.length > 0);
    const inOrder = [
      ...others.filter(({ gateway }) => gateway === undefined),
      ...others.filter(({ gateway }) => gateway !== undefined),
      ...defaultsBy(each, link.index, needed),
    ];
    // The default route, which the config lists as well, may be there already.
    socket.requestAll(
      inOrder.map((route) => routeAddition(route, `add a route to table ${each.table}`, true)),
      'EEXIST',
    );
  }
  const stays = (route: Route): boolean =>
    isLinkLocal(route.destination.address) || (keepSubnets && isSubnet(route));
  const leaving: RouteState[] = own.filter((route) => !stays(route));
  const removals = leaving.map((route) =>
    routeRemoval(route, `take a route of ${link.name} from the main table`),
  );
  socket.requestAll(removals, 'ESRCH');
}

/** After the interface has been configured, in its namespace. Networks of a container take turns. */
export function routeBySource(
  { netns, route: socket }: Sandbox,
  link: Link,
  record: BridgeNatRecord,
  wanted: SourceRouting,
  host: Pick<Host, 'world'>,
  undo: UndoStack,
): void {
  withNetnsLock(netns, host.world, () => {
    const rules = listRules(socket);
    const routes = FAMILIES.flatMap((family) => listRoutes(socket, family));
    const taken = new Set([...rules, ...routes].flatMap(({ table }) => table ?? []));
    const placed = place(record, wanted, taken);
    undo.push('remove its routing rules', () => void removeRules(socket, prefixesOf(record)));
    socket.requestAll(
      placed.map(({ prefix: { address }, table }) =>
        ruleAddition(sourceRule(address, table), `have ${formatAddress(address)} use table ${table}`),
      ),
      'EEXIST',
    );
    if (wanted.table === undefined) moveRoutes(socket, link, placed, wanted.keepSubnets);
  });
}
