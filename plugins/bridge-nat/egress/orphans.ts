/** Ways out of bridges that no record accounts for: rules, and tables that none leads to. */
import type { Sockets } from '../../../lib/mooring/host.ts';
import type { Orphan } from '../../../lib/mooring/upkeep.ts';
import { ALIAS, RTPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { knownRecords } from '../../../lib/mooring/records.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listRoutesIn } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import type { AttachmentRecord } from '../../../ipam/record.ts';
import { KIND, readDetail } from '../detail.ts';
import { families, leaveEgress, ownRules, tableRemoval, isOfEgress } from './stand.ts';

/** As giveUpEgress(): a bridge of ours that something is plugged into keeps it. */
function isKept(name: string, links: readonly Link[]): boolean {
  const bridge = links.find((link) => link.name === name && link.alias === ALIAS);
  return bridge !== undefined && links.some(({ master }) => master === bridge.index);
}

/** Bridges that keep their way out, and what nftables says of it. */
export function keptWays(route: NetlinkSocket, links: readonly Link[]): string[] {
  return [...new Set(ownRules(route).flatMap(({ iif = '' }) => (isKept(iif, links) ? [iif] : [])))];
}

/**
 * Bridges that would keep their way out, but that somebody has flushed the rules: their table still leads to them, and
 * to nowhere else that it did not before. Of a bridge without a record nothing else tells which table was its.
 */
export function lostWays(route: NetlinkSocket, links: readonly Link[]): { bridge: string; table: number }[] {
  const led = new Set(ownRules(route).map(({ table }) => table));
  const lost = families()
    .flatMap((family) => listRoutesIn(route, family, { protocol: RTPROT_NETMOOR }))
    .filter(({ destination, table = 0 }) => destination.length > 0 && isOfEgress(table) && !led.has(table))
    .flatMap(({ interface: index, table = 0 }) => {
      const name = links.find((link) => link.index === index)?.name;
      return name !== undefined && isKept(name, links) ? [[name, table] as const] : [];
    });
  return [...new Map(lost)].map(([bridge, table]) => ({ bridge, table }));
}

/** Of what records account for: names of bridges, numbers of tables. */
export interface Used {
  readonly bridges: ReadonlySet<string>;
  readonly tables: ReadonlySet<number>;
}

/** The tables that records name, whether or not a rule leads there now. */
export function tablesOf(records: readonly AttachmentRecord[]): Set<number> {
  const known = knownRecords({ name: KIND, readDetail }, records);
  return new Set(known.flatMap(({ detail }) => detail.egress?.table ?? []));
}

export function strayWays(
  { route }: Sockets,
  links: readonly Link[],
  { bridges: used, tables }: Used,
): Orphan[] {
  const rules = ownRules(route);
  const bridges = new Set(
    rules.flatMap(({ iif = '' }) => (used.has(iif) || isKept(iif, links) ? [] : [iif])),
  );
  const lost = lostWays(route, links).map(({ table }) => table);
  const led = new Set([...tables, ...lost, ...rules.map(({ table }) => table)]);
  const made = families().flatMap((family) => listRoutesIn(route, family, { protocol: RTPROT_NETMOOR }));
  // Of other tables netmoor's routes are of other things.
  const isStray = (table = 0): boolean => isOfEgress(table) && !led.has(table);
  const strays = new Set(made.flatMap(({ table = 0 }) => (isStray(table) ? [table] : [])));
  return [
    ...[...bridges].map(
      (bridge): Orphan => ({
        kind: 'rules',
        what: `the way out of bridge ${bridge}`,
        remove: () => leaveEgress(route, bridge),
      }),
    ),
    ...[...strays].map(
      (table): Orphan => ({
        kind: 'rules',
        what: `routing table ${table}`,
        remove: () => void route.exchange(tableRemoval(route, table)),
      }),
    ),
  ];
}
