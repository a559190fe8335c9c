/** The attachments of all stores, the dead among them told by the kernel and the boot id. */
import { NetlinkSocket } from '../lib/netlink/socket.ts';
import type { World } from '../lib/cni/world.ts';
import { causeOfDeath } from '../plugins/bridge-nat/reclaim.ts';
import { viewOf } from './attachment-view.ts';
import type { AttachmentView } from './attachment-view.ts';
import { readAttachments } from './stores.ts';
import type { NamedStore } from './stores.ts';

export function listAttachments(world: World, stores: readonly NamedStore[]): AttachmentView[] {
  const records = readAttachments(stores);
  if (records.length === 0) return [];
  const socket = NetlinkSocket.open('route');
  try {
    return records.map((record) => viewOf(record, causeOfDeath(socket, record, world.bootId)));
  } finally {
    socket.close();
  }
}
