/**
 * Comparing what was promised with what is, as far as it is the same for every kind. Each difference in words; none:
 * all is well.
 */
import { formatAddress, formatPrefix, networkOf, parsePrefix, sameAddress } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import { listAddresses } from '../netlink/address.ts';
import { findLink } from '../netlink/link.ts';
import { IFF_UP } from '../netlink/link-message.ts';
import type { Link } from '../netlink/link-message.ts';
import { listRoutes } from '../netlink/route.ts';
import type { Route } from '../netlink/route.ts';
import { listRules } from '../netlink/rule.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { withSocketIn } from '../netlink/socket-in.ts';
import type { Netns } from '../system/netns.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { Host } from './host.ts';
import type { MooringDetail, Told } from './kind.ts';
import { kernelRoute } from './routes.ts';

export type Complaints = string[];

const MAIN_TABLE = 254; // linux/rtnetlink.h RT_TABLE_MAIN

export function verifyUp(link: Link, complaints: Complaints): void {
  if ((link.flags & IFF_UP) === 0) complaints.push(`interface ${link.name} is down`);
}

export function verifyMtu(link: Link, wanted: number, complaints: Complaints): void {
  if (link.mtu !== wanted) complaints.push(`interface ${link.name} has MTU ${link.mtu}, not ${wanted}`);
}

/**
 * A smaller MTU than ours is a later plugin's business (tuning changes it and does not say so); a larger one loses
 * packets.
 */
function verifyContainerLink(link: Link, record: AttachmentRecord, told: Told, complaints: Complaints): void {
  const mtu = told.mtu ?? record.mtu;
  if (mtu !== undefined && link.mtu > mtu) verifyMtu(link, mtu, complaints);
  const mac = told.mac ?? record.mac;
  if (mac !== undefined && link.mac !== mac)
    complaints.push(`interface ${link.name} has MAC ${link.mac}, not ${mac}`);
}

export function verifyAddresses(
  present: readonly Prefix[],
  wanted: readonly Prefix[],
  where: string,
  complaints: Complaints,
): void {
  for (const prefix of wanted) {
    const found = present.some(
      (other) => sameAddress(other.address, prefix.address) && other.length === prefix.length,
    );
    if (!found) complaints.push(`${where} lacks the address ${formatPrefix(prefix)}`);
  }
}

/** `tables`: those where it may be when it does not say. */
function sameRoute(wanted: Route, present: Route, tables: readonly number[] = [MAIN_TABLE]): boolean {
  const { destination, gateway, mtu, advmss, priority, table } = wanted;
  return (
    present.destination.length === destination.length &&
    sameAddress(present.destination.address, destination.address) &&
    (gateway === undefined || (present.gateway !== undefined && sameAddress(present.gateway, gateway))) &&
    (mtu === undefined || present.mtu === mtu) &&
    (advmss === undefined || present.advmss === advmss) &&
    (priority === undefined || present.priority === priority) &&
    (table === undefined ? tables.includes(present.table ?? MAIN_TABLE) : present.table === table)
  );
}

/** Tables that rules lead to what is sent from its addresses: source-based routing, ours or a chained plugin's. */
function tablesBySource(socket: NetlinkSocket, addresses: readonly Prefix[]): number[] {
  return listRules(socket).flatMap(({ from, table }) => {
    const isOwn = from !== undefined && addresses.some(({ address }) => sameAddress(from.address, address));
    return isOwn && table !== undefined ? [table] : [];
  });
}

function verifyRoutes(
  socket: NetlinkSocket,
  link: Link,
  wanted: readonly Route[],
  addresses: readonly Prefix[],
  complaints: Complaints,
): void {
  const present = ([4, 6] as const)
    .filter((family) => wanted.some((route) => route.destination.address.family === family))
    .flatMap((family) => listRoutes(socket, family))
    .filter((route) => route.interface === undefined || route.interface === link.index);
  const absent = wanted.filter((route) => !present.some((other) => sameRoute(route, other)));
  const elsewhere = absent.length > 0 ? tablesBySource(socket, addresses) : [];
  for (const route of absent) {
    if (present.some((other) => sameRoute(route, other, elsewhere))) continue;
    const via = route.gateway ? ` via ${formatAddress(route.gateway)}` : '';
    complaints.push(
      `the container lacks the route ${formatPrefix(networkOf(route.destination))}${via} as configured`,
    );
  }
}

/** The addresses of a record, with their prefixes. */
export function prefixesOf({ addresses }: Pick<AttachmentRecord, 'addresses'>): Prefix[] {
  return addresses.map(({ address }) => parsePrefix(address));
}

/** What the container sees: its interface, addresses, routes. `raised`: whether an ADD has raised it. */
export function verifyInterface(
  netns: Netns,
  record: AttachmentRecord<MooringDetail>,
  told: Told = {},
  raised = true,
): Complaints {
  return withSocketIn(netns, 'route', (socket) => {
    const link = findLink(socket, record.ifname);
    if (!link) return [`the container has no interface ${record.ifname}`];
    const complaints: Complaints = [];
    if (raised) verifyUp(link, complaints);
    verifyContainerLink(link, record, told, complaints);
    const present = listAddresses(socket, link.index).map((address) => address.prefix);
    verifyAddresses(present, prefixesOf(record), `interface ${link.name} in the container`, complaints);
    verifyRoutes(socket, link, record.detail.routes.map(kernelRoute), prefixesOf(record), complaints);
    return complaints;
  });
}

/** Whether the store still says that these addresses are this attachment's. */
export function verifyLeases(host: Host, record: AttachmentRecord): Complaints {
  const complaints: Complaints = [];
  if (record.state !== 'attached') complaints.push(`on record it is "${record.state}"`);
  host.store.read((tx) => {
    for (const { address, scope } of record.addresses) {
      if (scope === undefined) continue;
      const owner = tx.addressOwner(scope, parsePrefix(address).address);
      if (owner === undefined) complaints.push(`nobody holds the lease of ${address}`);
      else if (formatKey(owner) !== formatKey(record))
        complaints.push(`the lease of ${address} belongs to ${formatKey(owner)}`);
    }
  });
  return complaints;
}
