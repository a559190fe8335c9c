/** What lives and is on no record, put on record again where that is asked for. */
import { hostOf } from '../../lib/mooring/host.ts';
import { findUnrecorded, recoverLost } from '../../lib/mooring/recover.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import { formatKey } from '../../ipam/record.ts';
import { quietly } from '../surroundings.ts';
import type { Work } from './collect.ts';
import type { Collection } from './garbage.ts';

/** In the first of the stores, the host's own or that of --data-dir. */
export async function rebuild(
  { world, sockets, kinds, note, living }: Work,
  [store]: readonly NamedStore[],
  { wanted, dryRun }: { readonly wanted: boolean; readonly dryRun: boolean },
): Promise<Pick<Collection, 'recovered' | 'unrecorded'>> {
  if (store === undefined) return { recovered: [], unrecorded: [] };
  const host = hostOf(sockets, store, world, quietly(note));
  const lost: string[] = [];
  const recovered: string[] = [];
  for (const kind of kinds.values()) {
    lost.push(...(await findUnrecorded(kind, host)).map(formatKey));
    if (wanted && !dryRun) recovered.push(...(await recoverLost(kind, host)).map(formatKey));
  }
  if (wanted && dryRun) recovered.push(...lost);
  // What is swept is told by its interface.
  const left = living === 'sweep' ? [] : lost.filter((what) => !recovered.includes(what));
  return { recovered, unrecorded: left };
}
