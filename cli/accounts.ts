/** What the records of all stores account for in the kernel. Everything else that bears netmoor's marks was left behind. */
import { NetmoorError } from '../lib/base/errors.ts';
import { attachmentElements } from '../lib/nftables/elements.ts';
import type { SetElement } from '../lib/nftables/elements.ts';
import { elementId } from '../lib/nftables/present.ts';
import { bridgeComment, ownerComment } from '../lib/nftables/table.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';
import { rulesOf } from '../plugins/bridge-nat/detail.ts';
import { hostIfnameFor, ifbNameFor } from '../plugins/bridge-nat/names.ts';

export interface Accounts {
  readonly hasElement: (element: SetElement) => boolean;
  /** Names of bridges that containers, or networks whose bridge stays, use. */
  readonly bridges: ReadonlySet<string>;
  /** Names of the host's ends of veths, and of the IFBs beside them. */
  readonly interfaces: ReadonlySet<string>;
  /** Nobody uses the nftables tables. */
  readonly isEmpty: boolean;
}

/** A settled attachment has these elements and no others; undefined: all that bear its name may be there. */
function elementsOf(record: AttachmentRecord): ReadonlySet<string> | undefined {
  if (record.plugin !== 'bridge-nat' || record.state !== 'attached' || record.worker !== undefined)
    return undefined;
  try {
    return new Set(attachmentElements(rulesOf(record)).map(elementId));
  } catch (error) {
    // A record of another version's: what it needs is not ours to judge.
    if (error instanceof NetmoorError) return undefined;
    throw error;
  }
}

export function accountsOf(
  records: readonly AttachmentRecord[],
  networks: readonly NetworkRecord[],
): Accounts {
  const byOwner = new Map(records.map((record) => [ownerComment(record), elementsOf(record)]));
  const used = records.flatMap(({ bridge }) => bridge ?? []);
  for (const bridge of used) byOwner.set(bridgeComment(bridge), undefined);
  return {
    hasElement: (element) => {
      if (!byOwner.has(element.comment)) return false;
      return byOwner.get(element.comment)?.has(elementId(element)) ?? true;
    },
    bridges: new Set([...used, ...networks.flatMap(({ bridge }) => bridge ?? [])]),
    interfaces: new Set(
      records.flatMap((record) => [record.hostIfname ?? hostIfnameFor(record), ifbNameFor(record)]),
    ),
    isEmpty: records.every(({ plugin }) => plugin !== 'bridge-nat'),
  };
}
