/** The networks there are: those on record, and those that a configuration defines. */
import { overlaps } from '../ipam/overlap.ts';
import type { Overlap } from '../ipam/overlap.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { droppedPorts } from '../lib/cni/lists/dropped-ports.ts';
import { describeList } from '../lib/cni/lists/list.ts';
import type { NetworkList } from '../lib/cni/lists/list.ts';

/** One item of schemas/cli-networks.schema.json. */
export interface NetworkView {
  readonly name: string;
  /** The plugin that keeps the record; of a network that is not on record all of its list, as "bridge + portmap". */
  readonly plugin: string;
  readonly segment?: string;
  readonly subnets: readonly string[];
  /** netmoor picked the subnets itself. */
  readonly automatic: boolean;
  readonly attachments: number;
  /** Its subnets that share addresses with another network's. */
  readonly overlaps?: readonly Overlap[];
  /** How many attachments ask for ports to be published, which its configuration does not take. */
  readonly unpublished?: number;
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

interface About {
  readonly attachments: number;
  readonly source: string | undefined;
  /** Those of all networks. */
  readonly shared: readonly Overlap[];
}

function viewOfRecord(record: NetworkRecord, { attachments, source, shared }: About): NetworkView {
  const { name, plugin, segment, subnets, automatic, createdAt } = record;
  const own = shared.filter(({ between }) => between.some(({ network }) => network === name));
  return {
    name,
    plugin,
    ...(segment === undefined ? {} : { segment }),
    subnets,
    automatic,
    attachments,
    ...(own.length > 0 ? { overlaps: own } : {}),
    ...(source === undefined ? {} : { source }),
    createdAt: new Date(createdAt).toISOString(),
  };
}

function viewOfList(list: NetworkList, attachments: number): NetworkView {
  const { name, source } = list;
  return { name, plugin: describeList(list), subnets: [], automatic: false, attachments, source };
}

function withUnpublished(view: NetworkView, cached: readonly CachedAttachment[]): NetworkView {
  const asking = cached.filter((each) => each.network === view.name && droppedPorts(each).length > 0);
  return asking.length === 0 ? view : { ...view, unpublished: asking.length };
}

/** By name. */
export function networkViews(known: Known): NetworkView[] {
  const { networks, lists } = known;
  const counts = countAttachments(known);
  const sources = new Map(lists.map(({ name, source }) => [name, source]));
  const shared = overlaps(
    networks.flatMap(({ name, subnets }) => subnets.map((subnet) => ({ network: name, subnet }))),
  );
  const recorded = new Set(networks.map(({ name }) => name));
  const views = [
    ...networks.map((record) => {
      const { name } = record;
      return viewOfRecord(record, { attachments: counts.get(name) ?? 0, source: sources.get(name), shared });
    }),
    ...lists
      .filter(({ name }) => !recorded.has(name))
      .map((list) => viewOfList(list, counts.get(list.name) ?? 0)),
  ];
  return views
    .map((view) => withUnpublished(view, known.cached))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
