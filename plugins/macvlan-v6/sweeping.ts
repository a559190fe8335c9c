/** What of macvlan-v6 is in the kernel, on record or not. */
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Books, Orphan, Sweeping } from '../../lib/mooring/upkeep.ts';
import { ALIAS } from '../../lib/mooring/marks.ts';
import { parseLabel } from '../../lib/mooring/label.ts';
import { knownRecords } from '../../lib/mooring/records.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { guardElements, leaveMasters, removePortsOf } from '../../lib/nftables/guard/guard.ts';
import { portsOnRecord } from '../../lib/nftables/guard/holdings.ts';
import { guardedMasters } from '../../lib/nftables/guard/masters.ts';
import { isShared } from '../../lib/nftables/guard/port-elements.ts';
import { NFPROTO_NETDEV } from '../../lib/nftables/message.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import { hasTables } from '../../lib/nftables/strays.ts';
import { dropTables } from '../../lib/nftables/tables.ts';
import { KIND, readDetail } from './detail.ts';
import { isHostIfname } from './names.ts';
import { livingMacvlans, placeOf, recover } from './recover.ts';

/** Elements of the guard under a name that no record bears; removed by owner. */
function strayGuards({ netfilter }: Sockets, { records }: Books): Orphan[] {
  const owners = new Set(records.map(ownerComment));
  const named = guardElements(netfilter).map(({ comment }) => comment);
  const strays = new Set(named.filter((owner) => !owners.has(owner) && !isShared(owner)));
  return [...strays].map((owner) => ({
    kind: 'rules',
    what: `the guard of ${owner}`,
    remove: () => void removePortsOf(netfilter, new Set([owner])),
  }));
}

function strayTable({ netfilter }: Sockets, { records }: Books): Orphan[] {
  if (records.some(({ plugin }) => plugin === KIND)) return [];
  if (!hasTables(netfilter, [NFPROTO_NETDEV])) return [];
  return [
    {
      kind: 'rules',
      what: 'the nftables table of masters',
      remove: () => dropTables(netfilter, [NFPROTO_NETDEV]),
    },
  ];
}

/** The host's own macvlans on masters that nobody is attached to. */
function strayHostLinks({ route }: Sockets, { records }: Books): Orphan[] {
  const used = new Set(records.map(({ segment }) => segment));
  return listLinks(route).flatMap(({ name, index, alias, kind, peer }): Orphan[] => {
    if (kind !== 'macvlan' || alias !== ALIAS || !isHostIfname(name)) return [];
    const master = peer === undefined ? undefined : findLink(route, peer);
    if (master !== undefined && used.has(master.name)) return [];
    return [{ kind: 'interface', what: `interface ${name}`, remove: () => void removeLink(route, index) }];
  });
}

/**
 * Of containers that live, and are on no record: only when they are to be swept. The guard says whose they are, which
 * no container can change; only where it says nothing their label counts.
 */
function strayMacvlans({ route, netfilter }: Sockets, { records, living }: Books, most: number): Orphan[] {
  if (living === 'spare') return [];
  const owners = new Set(records.map(ownerComment));
  const guarded = new Map(
    portsOnRecord(netfilter).map(({ mac, master, owner }) => [placeOf(mac, master.index), owner]),
  );
  const strays = [...livingMacvlans(route)].flatMap(([place, { nsid, link }]) => {
    const label = parseLabel(link.alias);
    const owner = guarded.get(place) ?? (label && ownerComment(label.key));
    return owner === undefined || owners.has(owner) ? [] : [{ nsid, link, owner }];
  });
  return strays.slice(0, most).map(({ nsid, link, owner }) => ({
    kind: 'interface',
    what: `interface ${link.name} of ${owner}`,
    remove: () => void removeLink(route, link.index, { nsid }),
  }));
}

/** Base chains of masters that nobody is attached to, with what all on one shared. */
function strayChains({ netfilter }: Sockets, { records }: Books): Orphan[] {
  const used = new Set(
    knownRecords({ name: KIND, readDetail }, records).map(({ detail }) => detail.masterIndex),
  );
  const segments = new Set(records.map(({ segment }) => segment));
  return [...guardedMasters(netfilter)].flatMap(([index, name = '']): Orphan[] => {
    if (used.has(index) || segments.has(name)) return [];
    const what = `the guard of master ${name === '' ? `#${index}` : name}`;
    return [{ kind: 'rules', what, remove: () => leaveMasters(netfilter) }];
  });
}

export const sweeping: Sweeping = {
  // It has none in the tables of bridges.
  elements: () => [],
  recover,
  segmentsInUse: (host) => {
    const living = livingMacvlans(host.route);
    return portsOnRecord(host.netfilter).flatMap(({ mac, master }) =>
      living.has(placeOf(mac, master.index)) && master.name !== undefined ? [master.name] : [],
    );
  },
  orphans: (host, books, most) => [
    ...strayMacvlans(host, books, most),
    ...strayGuards(host, books),
    ...strayHostLinks(host, books),
    ...strayChains(host, books),
    ...strayTable(host, books),
  ],
};
