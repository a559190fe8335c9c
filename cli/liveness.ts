/** The attachments of all stores, the dead among them told by the kernel and the boot id. */
import { NetlinkSocket } from '../lib/netlink/socket.ts';
import type { World } from '../lib/cni/world.ts';
import { causeOfDeath } from '../lib/mooring/death.ts';
import type { NamedStore } from '../lib/mooring/stores.ts';
import { whyElsewhere } from '../lib/mooring/vantage.ts';
import { kindsNamed } from '../plugins/kinds.ts';
import type { KindList } from '../plugins/kinds.ts';
import { viewOf } from './attachment-view.ts';
import type { AttachmentView } from './attachment-view.ts';
import { leasedBy } from './dhcp-view.ts';
import { readAttachments, readDhcpLeases } from './stores.ts';
import type { Unreadable } from './stores.ts';

export async function listAttachments(
  world: World,
  stores: readonly NamedStore[],
  list: KindList,
  unreadable: Unreadable,
): Promise<AttachmentView[]> {
  const records = readAttachments(stores, unreadable);
  if (records.length === 0) return [];
  const kinds = await kindsNamed(
    list,
    records.map(({ plugin }) => plugin),
  );
  const isLeased = leasedBy(readDhcpLeases(stores, unreadable));
  const route = NetlinkSocket.open('route');
  try {
    return records.map((record) => {
      const stale = causeOfDeath({ route, world }, record, kinds.get(record.plugin));
      return viewOf(record, { stale, elsewhere: whyElsewhere(record, world), isLeased });
    });
  } finally {
    route.close();
  }
}
