/** What is wrong with leases of DHCP servers, as far as the store, the clock and the engine's presence tell. */
import { allCachedAttachments, isBeingAttached, isWhereItWas } from '../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { isJsonObject } from '../lib/cni/json.ts';
import type { World } from '../lib/cni/world.ts';
import { isInHand } from '../lib/mooring/death.ts';
import { formatKey } from '../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../ipam/record.ts';
import type { DhcpLeaseRecord } from '../ipam/dhcp/record.ts';
import { DHCP_IPAM } from '../lib/mooring/ipam-type.ts';
import { dhcpViewsOf, formatMoment } from './dhcp-view.ts';
import type { Clocks, DhcpLeaseView } from './dhcp-view.ts';

const START = 'start one: systemctl start netmoor-engine.socket, or netmoor engine';

function describe({ version, addresses, prefixes }: DhcpLeaseView): string {
  const what = [...addresses, ...prefixes];
  return `its DHCPv${version} lease${what.length === 0 ? '' : ` of ${what.join(', ')}`}`;
}

function complaintOf(view: DhcpLeaseView, engine: boolean): string | undefined {
  const { server, expires, lapsed, state, version, gone } = view;
  const what = describe(view);
  if (gone !== undefined)
    return engine
      ? undefined
      : `${what} is not given back, since no engine runs: "netmoor gc" starts one (${gone})`;
  if (server === undefined) {
    const words = `nothing is leased to it by DHCPv${version} any more (${state})`;
    return engine ? words : `${words}, and no engine runs that would ask for it: ${START}`;
  }
  if (lapsed && expires !== undefined)
    return `${what} lapsed ${formatMoment(expires)}${engine ? ', and no server prolongs it' : `, and no engine runs: ${START}`}`;
  if (engine || expires === undefined) return undefined;
  return `${what} lapses ${formatMoment(expires)}, and nobody prolongs it, since no engine runs: ${START}`;
}

/** A lease from before the last boot is kept for a container that comes again: it is nobody's trouble. */
export function leaseComplaints(record: DhcpLeaseRecord, clocks: Clocks, engine: boolean): string[] {
  if (record.bootId !== clocks.bootId) return [];
  return dhcpViewsOf(record, clocks).flatMap((view) => complaintOf(view, engine) ?? []);
}

/** An attachment by what its plugin was told, and what is known of who it is. */
interface Client extends AttachmentKey {
  readonly name?: string;
}

function asksDhcp({ list }: CachedAttachment): boolean {
  return (list?.plugins ?? []).some(({ ipam }) => isJsonObject(ipam) && ipam['type'] === DHCP_IPAM);
}

/** Containers whose addresses a DHCP server gave, by our records, and by what runtimes have on file. */
export function dhcpClients(world: World, records: readonly AttachmentRecord[]): Client[] {
  const recorded = records.filter(
    (record) =>
      record.delegate?.type === DHCP_IPAM &&
      record.state === 'attached' &&
      record.bootId === world.bootId &&
      !isInHand(record, world),
  );
  const cached = allCachedAttachments(world).filter(
    (each) => asksDhcp(each) && !isBeingAttached(each, world) && isWhereItWas(each, world),
  );
  return [...new Map([...cached, ...recorded].map((client) => [formatKey(client), client])).values()];
}

const UNKNOWN =
  'no DHCP lease is on record for it, so nobody prolongs its address: attach the container again (DEL, ADD)';

/** Differences by attachment (formatKey), with its key. */
export function verifyDhcp(
  clients: readonly Client[],
  leases: readonly DhcpLeaseRecord[],
  clocks: Clocks,
  engine: boolean,
): ReadonlyMap<string, { readonly client: Client; readonly differences: readonly string[] }> {
  const held = new Set(leases.map(formatKey));
  const missing = clients
    .filter((client) => !held.has(formatKey(client)))
    .map((client) => ({ client, differences: [UNKNOWN] }));
  const wrong = leases
    .map((record) => ({ client: record, differences: leaseComplaints(record, clocks, engine) }))
    .filter(({ differences }) => differences.length > 0);
  return new Map([...missing, ...wrong].map((item) => [formatKey(item.client), item]));
}
