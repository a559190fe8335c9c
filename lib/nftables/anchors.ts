/**
 * An element in each set that stands for nobody and matches no packet. The kernel does not say how many elements a set
 * has (NFTA_SET_COUNT is of Linux 6.16), and counting them would cost more with every container: where the anchor is
 * gone, somebody has flushed the set.
 */
import type { SetElement } from './element.ts';
import { concatenate, setPlan } from './layout.ts';
import { TYPES } from './types.ts';
import type { SetName } from './layout.ts';
import type { TypeName } from './types.ts';
import { ifnameBytes } from './match.ts';

/** No owner's comment: those of attachments have slashes or a colon, those of bridges a space. */
export const ANCHOR_COMMENT = 'anchor';

/** The greatest of an int. nft writes one more as -1, and cannot read that. */
const LAST_INDEX = Buffer.from([0xff, 0xff, 0xff, 0x7f]);

/**
 * No interface is named "." (dev_valid_name) or has that index, no packet has all ones as its source or as its
 * protocol.
 */
function nobody(type: TypeName): Buffer {
  if (type === 'iface_index') return LAST_INDEX;
  return type === 'ifname' ? ifnameBytes('.') : Buffer.alloc(TYPES[type].length, 0xff);
}

export function anchorOf(set: SetName): SetElement {
  const { key: types, data, interval } = setPlan(set);
  const key = concatenate(types, types.map(nobody));
  return {
    set,
    key,
    ...(interval && { keyEnd: key }),
    ...(data && { data: concatenate(data, data.map(nobody)) }),
    comment: ANCHOR_COMMENT,
  };
}
