/** The leases in the host's store. */
import type { World } from '../../../lib/cni/world.ts';
import { storeFor } from '../../../lib/mooring/host.ts';
import type { DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';

export interface Entries {
  readonly put: readonly DhcpLeaseRecord[];
  readonly remove: readonly AttachmentKey[];
}

/** In one transaction, on disk when it returns. */
export function keep(world: World, { put, remove }: Entries): void {
  storeFor(undefined, world).store.write((tx) => {
    for (const key of remove) tx.removeDhcpLease(key);
    for (const record of put) tx.putDhcpLease(record);
  });
}

export function recall(world: World): DhcpLeaseRecord[] {
  return storeFor(undefined, world).store.read((tx) => tx.dhcpLeases());
}
