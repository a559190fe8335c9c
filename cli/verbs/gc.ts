/** netmoor gc: clears away what containers that are gone have left behind. */
import { shortenIds } from '../attachment-view.ts';
import { collectResults } from '../gc/results.ts';
import { collect, look } from '../gc/collect.ts';
import type { Found } from '../gc/collect.ts';
import type { Collection } from '../gc/garbage.ts';
import { withSockets } from '../../lib/mooring/host.ts';
import { kindsNamed, pluginsOf } from '../../plugins/kinds.ts';
import { openAll, openStores } from '../stores.ts';
import type { Verb } from '../verb.ts';

export function formatCollection({ dryRun, garbage, failures }: Collection): string {
  const did = dryRun ? 'would remove' : 'removed';
  const lines = [
    ...garbage.map(
      ({ kind, what, reason }) => `${did} ${kind === 'attachment' ? 'attachment ' : ''}${what}: ${reason}`,
    ),
    ...failures.map(({ what, problem }) => `could not remove ${what}: ${problem}`),
  ];
  if (lines.length === 0) lines.push('nothing to collect');
  return lines.map((line) => `${shortenIds(line)}\n`).join('');
}

/** What is found in two ways is told once. */
function union(first: Found, second: Found): Found {
  const told = new Set(first.garbage.map(({ what }) => what));
  return {
    garbage: [...first.garbage, ...second.garbage.filter(({ what }) => !told.has(what))],
    failures: [...first.failures, ...second.failures],
  };
}

export const verb: Verb = {
  about:
    'Detaches containers that are gone, and removes interfaces, bridges and rules of netmoor that no attachment accounts for. ' +
    'What is alive, or being attached right now, is not touched.',
  options: [{ name: 'dry-run', about: 'say what would be removed, and change nothing' }],
  async run({ world, dataDir, switches, kinds: list }) {
    const dryRun = switches.has('dry-run');
    const notes: string[] = [];
    const stores = openStores(world, dataDir);
    const all = [
      ...stores,
      ...openAll(world).filter(({ dir }) => stores.every((named) => named.dir !== dir)),
    ];
    const note = (line: string): void => void notes.push(line);
    const nothing: Found = { garbage: [], failures: [] };
    const onFile =
      dataDir === undefined ? await collectResults(world, pluginsOf(list), dryRun, note) : nothing;
    const kinds = await kindsNamed(list, list.keys());
    const found = await withSockets((sockets) => {
      const work = { world, sockets, kinds, note };
      return dryRun ? look(work, stores, all) : collect(work, stores, all);
    });
    const collection: Collection = { dryRun, ...union(onFile, found) };
    return {
      json: collection,
      text: () => formatCollection(collection),
      failed: collection.failures.length > 0,
      notes,
    };
  },
};
