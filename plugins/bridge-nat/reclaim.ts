/** Telling the dead from the living, by the record and the kernel, and clearing the dead away. */
import { errorText } from '../../lib/base/errors.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { isAlive } from '../../lib/system/process.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { AttachmentFilter } from '../../ipam/store/store.ts';
import { detach } from './detach.ts';
import type { Host } from './detach.ts';

/**
 * Why an attachment cannot be in use any more, in words; undefined while it may be. The kernel destroys the host's end of a
 * veth together with the container's namespace, so its absence proves the end; a namespace PATH that is gone proves nothing.
 */
export function causeOfDeath(
  route: NetlinkSocket,
  record: AttachmentRecord,
  bootId: string,
): string | undefined {
  if (record.bootId !== bootId) return 'the host has been restarted since';
  if (record.worker !== undefined && isAlive(record.worker)) return undefined;
  if (record.state === 'attaching') return 'what was attaching it died';
  if (record.state === 'detaching') return 'its detaching did not finish';
  if (record.hostIfname !== undefined && !findLink(route, record.hostIfname))
    return `its interface ${record.hostIfname} is gone`;
  return undefined;
}

/** Detaches every dead attachment of the filter; returns how many were cleared away entirely. */
export function reclaimDead(host: Host, filter: AttachmentFilter, bootId: string): number {
  const dead = host.store
    .read((tx) => tx.attachments({ ...filter, plugin: 'bridge-nat' }))
    .filter((record) => causeOfDeath(host.route, record, bootId) !== undefined);
  return dead.filter((record) => detach(host, record).length === 0).length;
}

/** Detaches all that `keep` does not vouch for, going on after failures, which are returned in words. */
export function collect(
  host: Host,
  filter: AttachmentFilter,
  keep: (record: AttachmentRecord) => boolean,
): { removed: AttachmentRecord[]; failures: string[] } {
  const removed: AttachmentRecord[] = [];
  const failures: string[] = [];
  for (const record of host.store.read((tx) => tx.attachments({ ...filter, plugin: 'bridge-nat' }))) {
    // Somebody is at work on it this very moment.
    if (record.worker !== undefined && isAlive(record.worker)) continue;
    if (keep(record)) continue;
    const problems = detach(host, record).map(
      ({ what, error }) => `${formatKey(record)}: ${what}: ${errorText(error)}`,
    );
    if (problems.length === 0) removed.push(record);
    failures.push(...problems);
  }
  return { removed, failures };
}
