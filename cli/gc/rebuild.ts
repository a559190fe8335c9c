/** What lives and is on no record, put on record again where that is asked for. */
import { hostOf } from '../../lib/mooring/host.ts';
import { findUnrecorded, recoverLost } from '../../lib/mooring/recover.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import { formatKey } from '../../ipam/record.ts';
import { quietly } from '../surroundings.ts';
import type { Work } from './collect.ts';
import type { Collection } from './garbage.ts';

/** In the first of the stores, the host's own or that of --data-dir. */
export function rebuild(
  { world, sockets, kinds, note, living }: Work,
  [store]: readonly NamedStore[],
  { wanted, dryRun }: { readonly wanted: boolean; readonly dryRun: boolean },
): Pick<Collection, 'recovered' | 'unrecorded'> {
  if (store === undefined) return { recovered: [], unrecorded: [] };
  const host = hostOf(sockets, store, world, quietly(note));
  const all = [...kinds.values()];
  const lost = all.flatMap((kind) => findUnrecorded(kind, host)).map(formatKey);
  // What is swept is told by its interface.
  const left = (what: string[]): string[] => (living === 'sweep' ? [] : what);
  if (!wanted) return { recovered: [], unrecorded: left(lost) };
  const recovered = dryRun ? lost : all.flatMap((kind) => recoverLost(kind, host)).map(formatKey);
  return { recovered, unrecorded: left(lost.filter((what) => !recovered.includes(what))) };
}
