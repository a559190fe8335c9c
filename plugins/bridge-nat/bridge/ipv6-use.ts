/** Whether anybody on a bridge has IPv6, of whichever store: to be asked before the bridge's own is turned off. */
import type { Host } from '../../../lib/mooring/host.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import type { StoreReader } from '../../../ipam/store/store.ts';

/**
 * What the kernel says, where a record or a store cannot be read: a bridge that nobody uses IPv6 on has no such
 * address.
 */
function hasGlobalAddress({ route }: Host, bridge: string): boolean {
  const link = findLink(route, bridge);
  if (link === undefined) return false;
  return listAddresses(route, link.index).some(
    ({ prefix, scope }) => prefix.address.family === 6 && scope === 0,
  );
}

/** Inside a write transaction of the host's own store. */
export function isIpv6Used(host: Host, tx: StoreReader, bridge: string): boolean {
  const unknown = hasGlobalAddress(host, bridge);
  const uses = (reader: StoreReader): boolean =>
    reader
      .attachments({ segment: bridge })
      .some((record) =>
        record.unreadable === undefined
          ? prefixesOf(record).some(({ address }) => address.family === 6)
          : unknown,
      );
  return uses(tx) || host.askOthers(uses, unknown).includes(true);
}
