/**
 * What the attachments of this host's other stores need of the nftables tables, which all stores share: a config may name a
 * store of its own (`dataDir`), and when the tables are built anew its containers must not lose NAT, ports and policy.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { World } from '../../lib/cni/world.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { notedStores } from '../../ipam/store/known.ts';
import { openStore, storeFile } from '../../ipam/store/open.ts';
import { rulesOf } from './detail.ts';

/** None for a record that this version cannot read: what stands for it in the kernel is carried over as it is. */
export function readable(record: AttachmentRecord): AttachmentRules[] {
  try {
    return [rulesOf(record)];
  } catch {
    return [];
  }
}

function rulesIn(dir: string, world: World): AttachmentRules[] {
  const store = openStore({ dir, bootId: world.bootId, now: world.now });
  try {
    return store
      .read((tx) => tx.attachments({ plugin: 'bridge-nat' }))
      .filter(({ state, bootId }) => state === 'attached' && bootId === world.bootId)
      .flatMap(readable);
  } catch {
    // Damaged, or of a later version. Its containers keep what the kernel still has of theirs.
    return [];
  } finally {
    store.close();
  }
}

/** The rules of everything attached by the stores of this host beside the one in `own`. */
export function rulesElsewhere(world: World, own: string): AttachmentRules[] {
  const dirs = new Set([world.storeDirectory, ...notedStores()].map((dir) => resolve(dir)));
  dirs.delete(resolve(own));
  return [...dirs].filter((dir) => existsSync(storeFile(dir))).flatMap((dir) => rulesIn(dir, world));
}
