/** netmoor networks: the networks in use, and those whose subnets netmoor has picked and keeps for them. */
import { formatOverlap, overlaps } from '../../ipam/overlap.ts';
import type { Overlap } from '../../ipam/overlap.ts';
import type { AttachmentRecord, NetworkRecord } from '../../ipam/record.ts';
import { named, openStores, readAttachments, readNetworks } from '../stores.ts';
import { formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

/** One item of schemas/cli-networks.schema.json. */
export interface NetworkView {
  readonly name: string;
  readonly plugin: string;
  readonly segment?: string;
  readonly subnets: readonly string[];
  /** netmoor picked the subnets itself. */
  readonly automatic: boolean;
  readonly attachments: number;
  /** Its subnets that share addresses with another network's. */
  readonly overlaps?: readonly Overlap[];
  /** ISO 8601 */
  readonly createdAt: string;
}

export function networksOf(
  networks: readonly NetworkRecord[],
  records: readonly AttachmentRecord[],
): NetworkView[] {
  const counts = Map.groupBy(records, (record) => record.network);
  const shared = overlaps(
    networks.flatMap(({ name, subnets }) => subnets.map((subnet) => ({ network: name, subnet }))),
  );
  const sharedWith = (name: string): object => {
    const own = shared.filter(({ between }) => between.some(({ network }) => network === name));
    return own.length > 0 ? { overlaps: own } : {};
  };
  return networks.map(({ name, plugin, segment, subnets, automatic, createdAt }) => ({
    name,
    plugin,
    ...(segment === undefined ? {} : { segment }),
    subnets,
    automatic,
    attachments: counts.get(name)?.length ?? 0,
    ...sharedWith(name),
    createdAt: new Date(createdAt).toISOString(),
  }));
}

export function formatNetworks(networks: readonly NetworkView[]): string {
  const rows = networks.map(({ name, plugin, segment, subnets, automatic, attachments }) => [
    name,
    plugin,
    segment ?? '-',
    subnets,
    automatic ? 'netmoor' : 'config',
    `${attachments}`,
  ]);
  const table = formatTable(['NETWORK', 'PLUGIN', 'SEGMENT', 'SUBNETS', 'CHOSEN BY', 'ATTACHMENTS'], rows);
  const shared = new Set(networks.flatMap((network) => (network.overlaps ?? []).map(formatOverlap)));
  return [table, ...[...shared].map((overlap) => `${overlap}\n`)].join('');
}

export const verb: Verb = {
  about:
    'Lists the networks containers are attached to, and those whose subnets netmoor picked itself and remembers.',
  options: [],
  run({ world, dataDir, note }) {
    const stores = openStores(world, dataDir);
    const unreadable = named({ dataDir, note });
    const networks = networksOf(readNetworks(stores, unreadable), readAttachments(stores, unreadable));
    return { json: networks, text: () => formatNetworks(networks) };
  },
};
