/** netmoor leases: who holds which address, how full the networks are, and what DHCP servers have leased. */
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import type { World } from '../../lib/cni/world.ts';
import { containerLabel } from '../attachment-view.ts';
import { clocksOf, dhcpViewsOf, formatMoment, leasedBy } from '../dhcp-view.ts';
import type { DhcpLeaseView, IsLeased, Moment } from '../dhcp-view.ts';
import { named, openStores, readAttachments, readDhcpLeases, readNetworks } from '../stores.ts';
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
  /** By a DHCP server: `dhcp` of the whole says more. */
  readonly dhcp?: true;
}

const byNobody: IsLeased = () => false;

export function leasesOf(records: readonly AttachmentRecord[], isLeased: IsLeased = byNobody): LeaseView[] {
  return records.flatMap(({ network, containerId, ifname, name, createdAt, addresses }) =>
    addresses.map(({ address, scope }) => ({
      address,
      network,
      containerId,
      ifname,
      ...(name === undefined ? {} : { name }),
      since: new Date(createdAt).toISOString(),
      own: scope !== undefined,
      ...(isLeased({ network, containerId, ifname }, address) ? { dhcp: true } : {}),
    })),
  );
}

function formatAddressOf({ address, own, dhcp }: LeaseView): string {
  return own ? address : `${address} (${dhcp ? 'DHCP' : 'given by others'})`;
}

function formatTime(when: Moment | undefined): string {
  return when === undefined ? '' : formatMoment(when);
}

/** "RENEWING", "BOUND, lapsed", "gone: …" */
function formatState({ state, lapsed, gone }: DhcpLeaseView): string {
  const words = lapsed ? `${state}, lapsed` : state;
  return gone === undefined ? words : `${words}; gone: ${gone}`;
}

const DHCP_HEADINGS = ['BY DHCP', 'NETWORK', 'CONTAINER', 'SERVER', 'RENEWS', 'REBINDS', 'EXPIRES', 'STATE'];

function formatDhcp(leases: readonly DhcpLeaseView[]): string {
  const rows = leases.map((lease) => {
    const { addresses, prefixes, network, ifname, server = '', renews, rebinds, expires } = lease;
    const what = [...addresses, ...prefixes.map((prefix) => `${prefix} (delegated)`)];
    return [
      what.length === 0 ? `nothing by DHCPv${lease.version}` : what,
      network,
      `${containerLabel(lease)} ${ifname}`,
      server,
      formatTime(renews),
      formatTime(rebinds),
      formatTime(expires) || (server === '' ? '' : 'never'),
      formatState(lease),
    ];
  });
  return formatTable(DHCP_HEADINGS, rows);
}

export function formatLeases(
  leases: readonly LeaseView[],
  usage: readonly SubnetUsage[],
  dhcp: readonly DhcpLeaseView[] = [],
): string {
  const rows = leases.map((lease) => [
    formatAddressOf(lease),
    lease.network,
    containerLabel(lease),
    lease.since.slice(0, 19).replace('T', ' '),
  ]);
  const table = formatTable(['ADDRESS', 'NETWORK', 'CONTAINER', 'SINCE (UTC)'], rows);
  const leased = dhcp.length === 0 ? '' : `\n${formatDhcp(dhcp)}`;
  if (usage.length === 0) return `${table}${leased}`;
  const sizes = usage.map(({ network, subnet, taken, total }) => [
    network,
    subnet,
    taken,
    formatTotal(total),
  ]);
  return `${table}\n${formatTable(['NETWORK', 'SUBNET', 'TAKEN', 'OF'], sizes)}${leased}`;
}

function dhcpOf(
  leased: readonly DhcpLeaseRecord[],
  records: readonly AttachmentRecord[],
  world: World,
): DhcpLeaseView[] {
  if (leased.length === 0) return [];
  const names = new Map(records.map((record) => [formatKey(record), record.name]));
  const clocks = clocksOf(world);
  return leased.flatMap((record) => dhcpViewsOf(record, clocks, names.get(formatKey(record))));
}

export const verb: Verb = {
  about:
    'Lists the addresses that containers hold, for each subnet how many are taken of how many, and what DHCP servers ' +
    'have leased, also to interfaces of plugins of others: by which server, and when that is renewed (T1), rebound ' +
    '(T2) and at an end.',
  options: [],
  run({ world, dataDir, note }) {
    const stores = openStores(world, dataDir, note);
    const unreadable = named({ dataDir, note });
    const records = readAttachments(stores, unreadable);
    const leased = readDhcpLeases(stores, unreadable);
    const leases = leasesOf(records, leasedBy(leased));
    const usage = usageOf(readNetworks(stores, unreadable), records);
    const dhcp = dhcpOf(leased, records, world);
    return { json: { leases, usage, dhcp }, text: () => formatLeases(leases, usage, dhcp) };
  },
};
