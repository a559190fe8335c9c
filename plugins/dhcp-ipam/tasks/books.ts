/** The leases in the host's store. */
import type { World } from '../../../lib/cni/world.ts';
import { storeFor } from '../../../lib/mooring/host.ts';
import type { DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';

export interface Entries {
  readonly put: readonly DhcpLeaseRecord[];
  readonly remove: readonly AttachmentKey[];
}

/** What stays of a plugin's mark that the attachment was detached without the engine's knowing. */
function markOf(before: DhcpLeaseRecord | undefined, { incarnation }: DhcpLeaseRecord): string | undefined {
  return before?.incarnation === incarnation ? before.gone : undefined;
}

/**
 * In one transaction, on disk when it returns. Why the container of each that was put is gone by now, in the same
 * order; null while it is not.
 */
export function keep(world: World, { put, remove }: Entries): (string | null)[] {
  return storeFor(undefined, world).store.write((tx) => {
    for (const key of remove) tx.removeDhcpLease(key);
    return put.map((record) => {
      const gone = markOf(tx.dhcpLease(record), record);
      tx.putDhcpLease(gone === undefined ? record : { ...record, gone });
      return gone ?? null;
    });
  });
}

export function recall(world: World): DhcpLeaseRecord[] {
  return storeFor(undefined, world).store.read((tx) => tx.dhcpLeases());
}
