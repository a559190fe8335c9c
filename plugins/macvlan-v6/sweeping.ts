/** What of macvlan-v6 is in the kernel, on record or not. */
import type { Sockets } from '../../lib/mooring/host.ts';
import type { Books, Orphan, Sweeping } from '../../lib/mooring/kind.ts';
import { ALIAS } from '../../lib/mooring/marks.ts';
import { parseLabel } from '../../lib/mooring/label.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { removePortsOf } from '../../lib/nftables/guard/guard.ts';
import { portsOnRecord } from '../../lib/nftables/guard/holdings.ts';
import { NFPROTO_NETDEV } from '../../lib/nftables/message.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import { dropTables, tableStates } from '../../lib/nftables/tables.ts';
import { formatKey } from '../../ipam/record.ts';
import { KIND } from './detail.ts';
import { isHostIfname } from './names.ts';
import { livingMacvlans, recover } from './recover.ts';

/** Elements of the guard under a name that no record bears; removed by owner. */
function strayGuards({ netfilter }: Sockets, { records }: Books): Orphan[] {
  const owners = new Set(records.map(ownerComment));
  const strays = new Set(portsOnRecord(netfilter).flatMap(({ owner }) => (owners.has(owner) ? [] : owner)));
  return [...strays].map((owner) => ({
    kind: 'rules',
    what: `the guard of ${owner}`,
    remove: () => void removePortsOf(netfilter, new Set([owner])),
  }));
}

function strayTable({ netfilter }: Sockets, { records }: Books): Orphan[] {
  if (records.some(({ plugin }) => plugin === KIND)) return [];
  if (tableStates(netfilter, [NFPROTO_NETDEV]).size === 0) return [];
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

/** Of containers that live, and are on no record: only when they are to be swept. */
function strayMacvlans({ route }: Sockets, { records, living }: Books, most: number): Orphan[] {
  if (living === 'spare') return [];
  const keys = new Set(records.map(formatKey));
  const strays = [...livingMacvlans(route).values()].flatMap(({ nsid, link }) => {
    const label = parseLabel(link.alias);
    return label === undefined || keys.has(formatKey(label.key)) ? [] : [{ nsid, link, key: label.key }];
  });
  return strays.slice(0, most).map(({ nsid, link, key }) => ({
    kind: 'interface',
    what: `interface ${link.name} of ${formatKey(key)}`,
    remove: () => void removeLink(route, link.index, { nsid }),
  }));
}

export const sweeping: Sweeping = {
  // It has none in the tables of bridges.
  elements: () => [],
  recover,
  segmentsInUse: (host) => {
    const living = livingMacvlans(host.route);
    return portsOnRecord(host.netfilter).flatMap(({ mac, master }) =>
      living.has(mac) && master.name !== undefined ? [master.name] : [],
    );
  },
  orphans: (host, books, most) => [
    ...strayMacvlans(host, books, most),
    ...strayGuards(host, books),
    ...strayHostLinks(host, books),
    ...strayTable(host, books),
  ],
};
