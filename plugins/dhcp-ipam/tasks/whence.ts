/** From where on the host a lease can be given back whose container is gone: what its interface stood on. */
import type { World } from '../../../lib/cni/world.ts';
import { storeFor } from '../../../lib/mooring/host.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';

export interface Segment {
  readonly ifname: string;
  readonly index: number;
}

/** `told`: what the configuration named. Null: nothing on this host is known to lead to that LAN. */
export function whence(world: World, key: AttachmentKey, told: string | undefined): Segment | null {
  const { segment } = storeFor(undefined, world).store.read((tx) => tx.attachment(key)) ?? {};
  const route = NetlinkSocket.open('route');
  try {
    for (const name of [segment, told]) {
      const link = name === undefined ? undefined : findLink(route, name);
      if (link !== undefined) return { ifname: link.name, index: link.index };
    }
    return null;
  } finally {
    route.close();
  }
}
