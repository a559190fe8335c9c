/** Which nftables elements the records of all stores account for. */
import { ownerComment, bridgeComment } from '../../lib/nftables/table.ts';
import type { SetElement } from '../../lib/nftables/element.ts';
import { elementId } from '../../lib/nftables/present.ts';
import type { Sweeping } from '../../lib/mooring/upkeep.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';

export interface Accounts {
  readonly hasElement: (element: SetElement) => boolean;
  /** Nobody uses the nftables tables. */
  readonly isEmpty: boolean;
}

/** A settled attachment has these elements and no others; undefined: all that bear its name may be there. */
function elementsOf(
  record: AttachmentRecord,
  sweeping: Sweeping | undefined,
): ReadonlySet<string> | undefined {
  if (record.state !== 'attached' || record.worker !== undefined) return undefined;
  const elements = sweeping?.elements(record);
  return elements && new Set(elements.map(elementId));
}

/** `inUse`: segments that living containers are on, whether or not there are records of them. */
export function accountsOf(
  records: readonly AttachmentRecord[],
  sweepings: ReadonlyMap<string, Sweeping>,
  inUse: readonly string[],
): Accounts {
  const byOwner = new Map(
    records.map((record) => [ownerComment(record), elementsOf(record, sweepings.get(record.plugin))]),
  );
  const segments = [...inUse, ...records.flatMap(({ segment }) => segment ?? [])];
  for (const segment of segments) byOwner.set(bridgeComment(segment), undefined);
  return {
    hasElement: (element) => {
      if (!byOwner.has(element.comment)) return false;
      return byOwner.get(element.comment)?.has(elementId(element)) ?? true;
    },
    isEmpty: segments.length === 0,
  };
}
