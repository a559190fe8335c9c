/** Which of the guard's elements are there. */
import type { NetlinkSocket } from '../../netlink/socket.ts';
import type { SetElement } from '../element.ts';
import { GUARD_SET_NAMES } from '../layout.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import { elementId, elementsOf, presentElements } from '../present.ts';
import { tableStates } from '../tables.ts';

export function without(elements: readonly SetElement[], others: readonly SetElement[]): SetElement[] {
  const ids = new Set(others.map(elementId));
  return elements.filter((each) => !ids.has(elementId(each)));
}

/** Of these, what is there with the comment they should have. */
export function presentOf(nf: NetlinkSocket, elements: readonly SetElement[]): SetElement[] {
  const comments = new Map(elements.map((each) => [elementId(each), each.comment]));
  const present = [...presentElements(nf, elements).values()];
  return present.filter((each) => comments.get(elementId(each)) === each.comment);
}

/** Another layout's sets are not ours to read. */
export function readable(nf: NetlinkSocket): boolean {
  return tableStates(nf, [NFPROTO_NETDEV]).get(NFPROTO_NETDEV)?.current === true;
}

/** All elements in the guard's table, if it is of this version's layout. */
export function guardElements(nf: NetlinkSocket): SetElement[] {
  return readable(nf) ? GUARD_SET_NAMES.flatMap((set) => elementsOf(nf, set)) : [];
}
