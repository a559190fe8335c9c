/** Bringing the host after addresses that DHCP servers have changed: guard, label, the host's own routes. */
import { formatLabel } from '../../lib/mooring/label.ts';
import type { Following } from '../../lib/mooring/upkeep.ts';
import { labelling } from '../../lib/netlink/link-change.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { withSocketIn } from '../../lib/netlink/socket-in.ts';
import { guardInside } from '../../lib/nftables/guard/inside.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { moveRoutes } from './access.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import { guardAddresses } from './guard.ts';
import { mooredPort } from './moored.ts';

function relabel(netns: Netns, record: MacvlanRecord): void {
  withSocketIn(netns, 'route', (route) => {
    const link = findLink(route, record.detail.ifindex ?? record.ifname);
    const alias = formatLabel(record, record.addresses);
    if (link !== undefined && alias !== undefined) route.request(labelling({ index: link.index }, alias));
  });
}

export const following: Following<MacvlanDetail> = {
  moved(host, tx, netns, before, after) {
    guardAddresses({ host }, before, after, tx);
    const port = mooredPort(after);
    if (port?.spoofCheck) withSocketIn(netns, 'netfilter', (netfilter) => guardInside(netfilter, port));
    relabel(netns, after);
    if (after.detail.hostAccess) moveRoutes(host, before, after);
  },
};
