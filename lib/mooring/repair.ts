/**
 * Putting back what is missing on the host, from the records: of those who are attached here and live. It may run while
 * containers come and go: a record is looked at again inside a transaction that no ADD or DEL can begin beside, and
 * what somebody is at work on is left to him.
 */
import { errorText } from '../base/errors.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { causeOfDeath, isInHand } from './death.ts';
import { isCurrent } from './detach.ts';
import { writeAlone } from './host.ts';
import type { Host } from './host.ts';
import type { Kind, MooringDetail } from './kind.ts';
import type { Amiss, Extent, Repairing } from './upkeep.ts';
import { knownRecords, understand } from './records.ts';
import { whyElsewhere } from './vantage.ts';

/** What became of an attachment with whom something was amiss. */
export interface Repair {
  readonly record: AttachmentRecord;
  /** Differences that are no more, in the words of CHECK. */
  readonly mended: readonly string[];
  /** Those that are still there. */
  readonly left: readonly string[];
  /** Why mending failed. */
  readonly problem?: string;
}

export interface Repairs {
  readonly repairs: readonly Repair[];
  /** Those that were left to who is at work on them: their incarnations. */
  readonly inHand: readonly string[];
}

type Known = AttachmentRecord<MooringDetail>;

function isPromised(host: Host, kind: Kind, record: AttachmentRecord): boolean {
  return (
    record.state === 'attached' &&
    whyElsewhere(record, host.world) === undefined &&
    causeOfDeath(host, record, kind) === undefined
  );
}

/** In words what went wrong; undefined when nothing did. */
function mendOne(
  kind: Kind,
  host: Host,
  { mend }: Repairing<MooringDetail>,
  record: Known,
  extent: Extent,
): string | undefined {
  try {
    writeAlone(host, (tx, _ask, look) => {
      const current = tx.attachment(record);
      // Detached, or attached anew, since we looked.
      if (current === undefined || !isCurrent(tx, record) || !isPromised(host, kind, current)) return;
      const read = understand(kind, current);
      if ('known' in read) mend({ ...host, askOthers: look }, tx, read.known, extent);
    });
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

/** By key of the record (its incarnation) what went wrong. What is mended for one may be mended for all. */
function mendAll(
  kind: Kind,
  host: Host,
  repairing: Repairing<MooringDetail>,
  amiss: readonly Amiss<MooringDetail>[],
  extent: Extent,
): Map<string, string> {
  const problems = new Map<string, string>();
  const mendEach = (records: readonly Known[]): void => {
    for (const record of records) {
      const problem = mendOne(kind, host, repairing, record, extent);
      if (problem !== undefined) problems.set(record.incarnation, problem);
    }
  };
  const [first, ...rest] = amiss.map(({ record }) => record);
  if (first === undefined) return problems;
  mendEach([first]);
  mendEach(repairing.amiss(host, rest, extent).map(({ record }) => record));
  return problems;
}

/** Looks at all attachments of one store that are of the kind and chosen, and mends what is amiss with them. */
export async function repairKind(
  kind: Kind,
  host: Host,
  extent: Extent,
  isChosen: (record: AttachmentRecord) => boolean = () => true,
): Promise<Repairs> {
  const repairing = await kind.repairing?.();
  const all = host.store.read((tx) => tx.attachments({ plugin: kind.name })).filter(isChosen);
  const inHand = all.filter((record) => isInHand(record, host.world)).map(({ incarnation }) => incarnation);
  if (repairing === undefined) return { repairs: [], inHand };
  const promised = knownRecords(
    kind,
    all.filter((record) => isPromised(host, kind, record)),
  );
  if (promised.length === 0) return { repairs: [], inHand };
  const amiss = repairing.amiss(host, promised, extent);
  const problems = mendAll(kind, host, repairing, amiss, extent);
  const records = amiss.map(({ record }) => record);
  const after = new Map(
    repairing.amiss(host, records, extent).map(({ record, differences }) => [record, differences]),
  );
  const repairs = amiss.flatMap(({ record, differences }): Repair[] => {
    // Who was detached meanwhile lacks nothing.
    if (!host.store.read((tx) => isCurrent(tx, record))) return [];
    const left = after.get(record) ?? [];
    const problem = problems.get(record.incarnation);
    const mended = differences.filter((text) => !left.includes(text));
    return [{ record, mended, left, ...(problem === undefined ? {} : { problem }) }];
  });
  return { repairs, inHand };
}
