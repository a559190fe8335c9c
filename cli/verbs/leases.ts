/** netmoor leases: who holds which address, and how full the networks are. */
import type { AttachmentRecord } from '../../ipam/record.ts';
import { containerLabel } from '../attachment-view.ts';
import { named, openStores, readAttachments, readNetworks } from '../stores.ts';
import { formatTable } from '../table.ts';
import { formatTotal, usageOf } from '../usage.ts';
import type { SubnetUsage } from '../usage.ts';
import type { Verb } from '../verb.ts';

/** schemas/cli-leases.schema.json */
export interface LeaseView {
  /** With its prefix length. */
  readonly address: string;
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly name?: string;
  /** ISO 8601 */
  readonly since: string;
  /** False: another IPAM plugin or the routers gave it, and only they know whether it still holds. */
  readonly own: boolean;
}

export function leasesOf(records: readonly AttachmentRecord[]): LeaseView[] {
  return records.flatMap(({ network, containerId, ifname, name, createdAt, addresses }) =>
    addresses.map(({ address, scope }) => ({
      address,
      network,
      containerId,
      ifname,
      ...(name === undefined ? {} : { name }),
      since: new Date(createdAt).toISOString(),
      own: scope !== undefined,
    })),
  );
}

export function formatLeases(leases: readonly LeaseView[], usage: readonly SubnetUsage[]): string {
  const rows = leases.map((lease) => [
    lease.own ? lease.address : `${lease.address} (given by others)`,
    lease.network,
    containerLabel(lease),
    lease.since.slice(0, 19).replace('T', ' '),
  ]);
  const table = formatTable(['ADDRESS', 'NETWORK', 'CONTAINER', 'SINCE (UTC)'], rows);
  if (usage.length === 0) return table;
  const sizes = usage.map(({ network, subnet, taken, total }) => [
    network,
    subnet,
    taken,
    formatTotal(total),
  ]);
  return `${table}\n${formatTable(['NETWORK', 'SUBNET', 'TAKEN', 'OF'], sizes)}`;
}

export const verb: Verb = {
  about: 'Lists the addresses that containers hold, and for each subnet how many are taken of how many.',
  options: [],
  run({ world, dataDir, note }) {
    const stores = openStores(world, dataDir, note);
    const unreadable = named({ dataDir, note });
    const records = readAttachments(stores, unreadable);
    const leases = leasesOf(records);
    const usage = usageOf(readNetworks(stores, unreadable), records);
    return { json: { leases, usage }, text: () => formatLeases(leases, usage) };
  },
};
