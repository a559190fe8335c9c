/** What netmoor's sets consist of. */
import type { SetName } from './layout.ts';

/** One element: what the kernel's sets hold. `keyEnd` is the last key of an interval; `data` is there in maps. */
export interface SetElement {
  readonly set: SetName;
  readonly key: Buffer;
  readonly keyEnd?: Buffer;
  readonly data?: Buffer;
  readonly comment: string;
}
