/** What of bridge-nat is in the kernel, on record or not. */
import type { Sweeping } from '../../lib/mooring/upkeep.ts';
import { understand } from '../../lib/mooring/records.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import { attachmentElements } from '../../lib/nftables/elements.ts';
import { readDetail, rulesOf } from './detail.ts';
import { bridgesInUse, findOrphans } from './orphans.ts';
import { keptWays } from './egress/orphans.ts';
import { recover } from './recover.ts';

export const sweeping: Sweeping = {
  elements(record) {
    const read = understand({ readDetail }, record);
    return 'known' in read ? attachmentElements(rulesOf(read.known)) : undefined;
  },
  recover,
  segmentsInUse: ({ route }) => {
    const links = listLinks(route);
    return [...bridgesInUse(links), ...keptWays(route, links)];
  },
  orphans: findOrphans,
};
