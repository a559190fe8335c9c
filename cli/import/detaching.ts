/**
 * A container that was taken over, and not cleaned of its former plugins, is detached by them when that is what its
 * runtime has on file: what netmoor holds for it goes as well.
 */
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import { detach, teardownError } from '../../lib/mooring/detach.ts';
import { hostOf, withSockets } from '../../lib/mooring/host.ts';
import { sameKey } from '../../ipam/record.ts';
import { kindsNamed } from '../../plugins/kinds.ts';
import { openAll } from '../stores.ts';
import { quietly } from '../surroundings.ts';
import type { VerbContext } from '../verb.ts';

/** Throws NetmoorError for the first that cannot be detached. */
export async function detachImported(
  detached: readonly CachedAttachment[],
  { world, kinds: list, note }: Pick<VerbContext, 'world' | 'kinds' | 'note'>,
): Promise<void> {
  const left = openAll(world).flatMap((named) =>
    named.store
      .read((tx) => tx.attachments())
      .filter((record) => 'imported' in record.detail && detached.some((cached) => sameKey(cached, record)))
      .map((record) => ({ named, record })),
  );
  if (left.length === 0) return;
  const kinds = await kindsNamed(
    list,
    left.map(({ record }) => record.plugin),
  );
  await withSockets((sockets) => {
    for (const { named, record } of left) {
      const kind = kinds.get(record.plugin);
      if (kind === undefined) continue;
      const error = teardownError(record, detach(kind, hostOf(sockets, named, world, quietly(note)), record));
      if (error) throw error;
    }
  });
}
