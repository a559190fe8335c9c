/**
 * netmoor networks: those that are configured, those in use, and those whose subnets netmoor has picked and keeps for
 * them.
 */
import { formatOverlap } from '../../ipam/overlap.ts';
import { allCachedAttachments } from '../../lib/cni/lists/cache.ts';
import { loadAllNetworkLists } from '../../lib/cni/lists/load.ts';
import { CONFIG_DIRECTORIES } from '../../lib/cni/lists/places.ts';
import { forgetNetwork } from '../forgetting.ts';
import { networkViews } from '../network-views.ts';
import type { NetworkView } from '../network-views.ts';
import { named, openStores, readAttachments, readNetworks } from '../stores.ts';
import { formatTable } from '../table.ts';
import type { Report, Verb, VerbContext } from '../verb.ts';

/** netmoor has picked the subnets, the configuration has them, or nobody yet. */
function chooserOf({ automatic, createdAt }: NetworkView): string {
  if (createdAt === undefined) return '-';
  return automatic ? 'netmoor' : 'config';
}

function unpublishedLine({ name, unpublished, source }: NetworkView): string[] {
  if (unpublished === undefined) return [];
  const where = source === undefined ? '' : ` in ${source}`;
  return [
    `${name} publishes no ports, which ${unpublished} of its attachments ask for: ` +
      `add "capabilities": { "portMappings": true } to a plugin that does${where}`,
  ];
}

export function formatNetworks(networks: readonly NetworkView[]): string {
  const rows = networks.map((network) => [
    network.name,
    network.plugin,
    network.segment ?? '-',
    network.subnets.length > 0 ? network.subnets : '-',
    chooserOf(network),
    `${network.attachments}`,
    network.source ?? '-',
  ]);
  const headings = ['NETWORK', 'PLUGIN', 'SEGMENT', 'SUBNETS', 'CHOSEN BY', 'ATTACHMENTS', 'DEFINED IN'];
  const shared = new Set(networks.flatMap((network) => (network.overlaps ?? []).map(formatOverlap)));
  const lines = [...[...shared], ...networks.flatMap(unpublishedLine)];
  return [formatTable(headings, rows), ...lines.map((line) => `${line}\n`)].join('');
}

function forget(name: string, { world, dataDir }: VerbContext): Report {
  const networks = forgetNetwork(name, openStores(world, dataDir), world);
  const json = networkViews({ networks, records: [], cached: [], lists: [] });
  const lines = json.map(({ subnets, segment }) => {
    const free = subnets.length === 0 ? '' : `: ${subnets.join(', ')} may be taken by others`;
    const left = segment === undefined ? '' : `; "netmoor gc" removes ${segment} if it is still there`;
    return `network ${name} is forgotten${free}${left}\n`;
  });
  return { json, text: () => lines.join('') };
}

function list({ world, dataDir, values, note }: VerbContext): Report {
  const unreadable = named({ dataDir, note });
  const stores = openStores(world, dataDir, note);
  const lists = loadAllNetworkLists(values.get('conf-dir') ?? CONFIG_DIRECTORIES, world, ({ message }) =>
    note(message),
  );
  const networks = networkViews({
    networks: readNetworks(stores, unreadable),
    records: readAttachments(stores, unreadable),
    cached: allCachedAttachments(world),
    lists,
  });
  return { json: networks, text: () => formatNetworks(networks) };
}

export const verb: Verb = {
  about:
    'Lists the networks that are configured, those that containers are attached to, and those whose subnets netmoor ' +
    'picked itself and remembers, until they are forgotten.',
  options: [
    {
      name: 'conf-dir',
      value: 'DIR',
      repeated: true,
      about: `where networks are defined, default ${CONFIG_DIRECTORIES.join(', ')}`,
    },
    {
      name: 'forget',
      value: 'NETWORK',
      about: 'forget the network that nothing is attached to, and which subnets were picked for it',
    },
  ],
  run(context) {
    const name = context.values.get('forget')?.[0];
    return name === undefined ? list(context) : forget(name, context);
  },
};
