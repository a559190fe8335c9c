/** The networks there are: those on record, and those that a configuration defines. */
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { describeList } from '../lib/cni/lists/list.ts';
import type { NetworkList } from '../lib/cni/lists/list.ts';

/** One item of schemas/cli-networks.schema.json. */
export interface NetworkView {
  readonly name: string;
  /** The plugin that keeps the record; of a network that is not on record all of its list, as "bridge + portmap". */
  readonly plugin: string;
  readonly bridge?: string;
  readonly subnets: readonly string[];
  /** netmoor picked the subnets itself. */
  readonly automatic: boolean;
  readonly attachments: number;
  /** The file that defines it, or "built in"; absent when none does any more. */
  readonly source?: string;
  /** ISO 8601; absent when it is not on record. */
  readonly createdAt?: string;
}

export interface Known {
  readonly networks: readonly NetworkRecord[];
  readonly records: readonly AttachmentRecord[];
  /** Of plugins of others, too. */
  readonly cached: readonly CachedAttachment[];
  readonly lists: readonly NetworkList[];
}

/** How many attachments each network has, whoever keeps count of them. */
export function countAttachments({
  records,
  cached,
}: Pick<Known, 'records' | 'cached'>): Map<string, number> {
  const keys = [...records, ...cached].map(
    ({ network, containerId, ifname }) => [network, `${network}/${containerId}/${ifname}`] as const,
  );
  const byNetwork = Map.groupBy(
    new Map(keys.map(([network, key]) => [key, network])),
    ([, network]) => network,
  );
  return new Map([...byNetwork].map(([network, distinct]) => [network, distinct.length]));
}

function viewOfRecord(record: NetworkRecord, attachments: number, source: string | undefined): NetworkView {
  const { name, plugin, bridge, subnets, automatic, createdAt } = record;
  return {
    name,
    plugin,
    ...(bridge === undefined ? {} : { bridge }),
    subnets,
    automatic,
    attachments,
    ...(source === undefined ? {} : { source }),
    createdAt: new Date(createdAt).toISOString(),
  };
}

function viewOfList(list: NetworkList, attachments: number): NetworkView {
  const { name, source } = list;
  return { name, plugin: describeList(list), subnets: [], automatic: false, attachments, source };
}

/** By name. */
export function networkViews(known: Known): NetworkView[] {
  const { networks, lists } = known;
  const counts = countAttachments(known);
  const sources = new Map(lists.map(({ name, source }) => [name, source]));
  const recorded = new Set(networks.map(({ name }) => name));
  const views = [
    ...networks.map((record) => viewOfRecord(record, counts.get(record.name) ?? 0, sources.get(record.name))),
    ...lists
      .filter(({ name }) => !recorded.has(name))
      .map((list) => viewOfList(list, counts.get(list.name) ?? 0)),
  ];
  return views.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
