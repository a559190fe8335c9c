/**
 * Whose MAC addresses are known behind a master in the strict mode: the host's, those of other macvlans of the host,
 * and of whatever stood there before the first container did (virtual machines, macvlans of other tools). Nobody tells
 * when another one comes; what a container adds must not become known by itself.
 */
import type { Host } from '../../lib/mooring/host.ts';
import { knownRecords, lastOf } from '../../lib/mooring/records.ts';
import { listUnicast } from '../../lib/netlink/fdb.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { KIND, readDetail } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';

/** What the first container found, on the record of each that came later. */
function ofOthers({ store, askOthers }: Host, { segment = '' }: MacvlanRecord): string[] {
  const read = (reader: StoreReader): string[] =>
    knownRecords({ name: KIND, readDetail }, reader.attachments({ plugin: KIND, segment })).flatMap(
      ({ detail }) => detail.knownMacs ?? [],
    );
  return [store.read(read), ...askOthers(read, [])].flat();
}

/** Each once. */
export function knownMacs(host: Host, record: MacvlanRecord): string[] {
  const { route, store } = host;
  const master = findLink(route, record.detail.masterIndex ?? 0);
  if (master === undefined) return [];
  const beside = listLinks(route).filter(
    ({ kind, peer }) => kind?.startsWith('macv') && peer === master.index,
  );
  const first = store.read((tx) => lastOf(tx, host.askOthers, { name: KIND }, record)).onSegment;
  const before = first
    ? listUnicast(route, master.index).filter((mac) => mac !== record.mac)
    : ofOthers(host, record);
  return [...new Set([...[master, ...beside].flatMap(({ mac }) => mac ?? []), ...before])];
}
