/**
 * Putting the host's side of attachments right, from their records: the guard on their masters, the host's own way to
 * them. A master that is down, or gone, is the host's to raise, and no ADD does.
 */
import type { Host } from '../../lib/mooring/host.ts';
import type { Extent, Repairing } from '../../lib/mooring/upkeep.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { checkGuard } from '../../lib/nftables/guard/check.ts';
import { standAccess } from './access.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import { guardAgain } from './guard.ts';
import { presentPort } from './moored.ts';
import { verifyHost } from './verify.ts';

function differences(host: Host, record: MacvlanRecord, extent: Extent): readonly string[] {
  if (extent === 'all') return verifyHost(host, record);
  const port = extent === 'rules' ? presentPort(host.route, record) : undefined;
  return port === undefined ? [] : checkGuard(host.netfilter, port);
}

export const repairing: Repairing<MacvlanDetail> = {
  amiss: (host, records, extent) =>
    records
      .map((record) => ({ record, differences: differences(host, record, extent) }))
      .filter((each) => each.differences.length > 0),
  mend(host, tx, record, extent) {
    const { detail } = record;
    if (extent === 'ways' || detail.linkInContainer) return;
    guardAgain(host, record, tx);
    const master = findLink(host.route, detail.masterIndex ?? 0);
    if (extent === 'all' && detail.hostAccess && master !== undefined)
      standAccess(host, record, master, host.world.machineId, tx);
  },
};
