/** Whether all that stands for many attachments is there, at the cost of reading each set once. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { attachmentElements, bridgeElements } from './elements.ts';
import type { SetElement } from './elements.ts';
import type { SetName } from './layout.ts';
import { covers, elementId, elementsOf } from './present.ts';
import { familiesOf, unfitTables } from './rebuild.ts';
import type { AttachmentRules } from './rules.ts';

/** Reads a set when it is first asked for. */
function reader(nf: NetlinkSocket): (set: SetName) => ReadonlyMap<string, SetElement> {
  const sets = new Map<SetName, ReadonlyMap<string, SetElement>>();
  return (set) => {
    const known = sets.get(set) ?? new Map(elementsOf(nf, set).map((each) => [elementId(each), each]));
    sets.set(set, known);
    return known;
  };
}

/** Of these, those for whom something is missing or leads elsewhere; all of them when a table has to be built anew. */
export function lacking(nf: NetlinkSocket, all: readonly AttachmentRules[]): AttachmentRules[] {
  const needed = all.map((a) => ({ a, own: attachmentElements(a), shared: bridgeElements(a.rules) }));
  const families = familiesOf(needed.flatMap(({ own, shared }) => [...own, ...shared]));
  if (unfitTables(nf, families).length > 0) return [...all];
  const read = reader(nf);
  const stands = (element: SetElement): boolean => {
    const there = read(element.set).get(elementId(element));
    return there?.comment === element.comment && (!element.data || there.data?.equals(element.data) === true);
  };
  const isCovered = (element: SetElement): boolean =>
    read(element.set).has(elementId(element)) ||
    [...read(element.set).values()].some((other) => covers(other, element));
  // Of everyone on a bridge the same.
  const asked = new Map<string, boolean>();
  const isShared = (element: SetElement): boolean => {
    const id = `${elementId(element)} ${element.keyEnd?.toString('latin1') ?? ''}`;
    const known = asked.get(id) ?? isCovered(element);
    asked.set(id, known);
    return known;
  };
  return needed.filter(({ own, shared }) => !shared.every(isShared) || !own.every(stands)).map(({ a }) => a);
}
