/** A record, and a world with a store of its own, for the tests of the command's verbs. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { World } from '../../lib/cni/world.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { fakeWorld } from './cni-fakes.ts';
import { attachment } from './ipam-record.ts';

/** An address of the network `web`, held by c1 for a plugin of others. */
export function recordOf(changes: Partial<AttachmentRecord> = {}): AttachmentRecord {
  return attachment('c1', {
    network: 'web',
    plugin: 'netmoor',
    bootId: 'boot-1',
    createdAt: 1_000_000,
    addresses: [{ address: '10.1.0.2/24', gateway: '10.1.0.1', scope: 'network web' }],
    ...changes,
  });
}

/** The directory does not exist before the store's first write; `parent` is for the teardown. */
export function storeWorld(): { world: World; store: LeaseStore; dir: string; parent: string } {
  const parent = mkdtempSync(join(tmpdir(), 'netmoor-cli-'));
  const dir = join(parent, 'store');
  const world = { ...fakeWorld(), storeDirectory: dir };
  return { world, dir, parent, store: openStore({ dir, bootId: world.bootId, hostId: '', now: world.now }) };
}
