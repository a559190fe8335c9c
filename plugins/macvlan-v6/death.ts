/** When an attachment of macvlan-v6 is dead, of which the host has no interface to look at. */
import { isReachable } from '../../lib/mooring/death.ts';
import type { Judge } from '../../lib/mooring/kind.ts';
import { understand } from '../../lib/mooring/records.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { readDetail } from './detail.ts';
import { findOwn } from './own.ts';

/**
 * The kernel takes the macvlan away together with the container's namespace. Where there is none any more, the
 * namespace itself is asked for: it may live without.
 */
export function deathOf({ route, world }: Judge, record: AttachmentRecord): string | undefined {
  const read = understand({ readDetail }, record);
  if ('unreadable' in read || findOwn(route, read.known) !== undefined) return undefined;
  return isReachable(record, world) ? undefined : 'its interface is gone with its namespace';
}
