/** Everything netmoor's sets hold, in words. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { describeData, describeKey } from './describe.ts';
import { SET_NAMES } from './layout.ts';
import type { SetName } from './layout.ts';
import { elementsOf } from './present.ts';

export interface ListedElement {
  readonly set: SetName;
  /** As nft writes it: "tcp . 80". */
  readonly key: string;
  /** Of a map: "10.1.0.2 . 8080"; else empty. */
  readonly data: string;
  /** ownerComment() of an attachment, or bridgeComment(). */
  readonly owner: string;
}

/** All elements, none when there are no tables. */
export function listElements(nf: NetlinkSocket): ListedElement[] {
  return SET_NAMES.flatMap((set) => elementsOf(nf, set)).map((element) => ({
    set: element.set,
    key: describeKey(element),
    data: describeData(element),
    owner: element.comment,
  }));
}
