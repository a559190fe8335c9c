/**
 * Whose MAC addresses are known behind a master in the strict mode: the host's, those of other macvlans of the host, and
 * of whatever stood there before the first container did (virtual machines, macvlans of other tools). Nobody tells when
 * another one comes; what a container adds must not become known by itself.
 */
import type { Host } from '../../lib/mooring/host.ts';
import { lastOf } from '../../lib/mooring/records.ts';
import { listUnicast } from '../../lib/netlink/fdb.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import { KIND } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';

/** In whatever order, some perhaps twice. */
export function knownMacs(host: Host, record: MacvlanRecord): string[] {
  const { route, store } = host;
  const master = findLink(route, record.detail.masterIndex ?? 0);
  if (master === undefined) return [];
  const beside = listLinks(route).filter(
    ({ kind, peer }) => kind?.startsWith('macv') && peer === master.index,
  );
  const first = store.read((tx) => lastOf(tx, host.askOthers, { name: KIND }, record)).onSegment;
  const before = first ? listUnicast(route, master.index).filter((mac) => mac !== record.mac) : [];
  return [...[master, ...beside].flatMap(({ mac }) => mac ?? []), ...before];
}
