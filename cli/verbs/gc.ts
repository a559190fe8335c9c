/** netmoor gc: clears away what containers that are gone have left behind. */
import { collect, look } from '../collect.ts';
import type { Collection } from '../garbage.ts';
import { withSockets } from '../host.ts';
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
  return lines.map((line) => `${line}\n`).join('');
}

export const verb: Verb = {
  about:
    'Detaches containers that are gone, and removes interfaces, bridges and rules of netmoor that no attachment accounts for. ' +
    'What is alive, or being attached right now, is not touched.',
  options: [{ name: 'dry-run', about: 'say what would be removed, and change nothing' }],
  run({ world, dataDir, switches }) {
    const dryRun = switches.has('dry-run');
    const notes: string[] = [];
    const stores = openStores(world, dataDir);
    const all = [
      ...stores,
      ...openAll(world).filter(({ dir }) => stores.every((named) => named.dir !== dir)),
    ];
    const found = withSockets((sockets) => {
      const work = { world, sockets, note: (line: string) => void notes.push(line) };
      return dryRun ? look(work, stores, all) : collect(work, stores, all);
    });
    const collection: Collection = { dryRun, ...found };
    return {
      json: collection,
      text: () => formatCollection(collection),
      failed: found.failures.length > 0,
      notes,
    };
  },
};
