/** What to do about elements that the kernel refuses to add because they are there (EEXIST). */
import { NetmoorError } from '../base/errors.ts';
import type { SystemError } from '../base/errors.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { failedWith } from './batch.ts';
import type { BatchFailure } from './batch.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './element.ts';
import { isExclusive, portTaken } from './port-taken.ts';
import { elementId, elementsOf, overlaps, presentElements } from './present.ts';

/** Whether the owner that a comment names has an interface still. */
export type Lives = (comment: string) => boolean;

export function addressTaken(element: SetElement, holder: string, cause?: unknown): NetmoorError {
  return new NetmoorError(
    'address-taken',
    `${describeKey(element)} is in use by ${holder}, of whom the lease store knows nothing`,
    'run "netmoor gc --rebuild" to put it on record again, and try again',
    { cause },
  );
}

export interface Conflicts {
  /** To be deleted first. */
  readonly stale: SetElement[];
  /** Of what is wanted, what is not there as it should be. */
  readonly missing: SetElement[];
}

/** Intervals that are in the way of ours without being the same: our own of another time, or another's. */
function overlapping(
  nf: NetlinkSocket,
  own: readonly SetElement[],
  present: ReadonlyMap<string, SetElement>,
  refusal: SystemError | undefined,
): SetElement[] {
  const intervals = own.filter((element) => element.keyEnd && !present.has(elementId(element)));
  const sets = new Set(intervals.map(({ set }) => set));
  return [...sets].flatMap((set) =>
    elementsOf(nf, set).filter((there) => {
      const inTheWay = intervals.find((element) => overlaps(element, there));
      if (inTheWay === undefined) return false;
      if (there.comment !== inTheWay.comment) throw portTaken(inTheWay, there.comment, refusal);
      return true;
    }),
  );
}

/**
 * The attachment's own elements are kept, or replaced when they lead elsewhere. Another's published port stays his.
 * Another's address does not: the lease store gave it to us, so he left the element behind; unless he lives, and the
 * store has forgotten.
 */
export function ownConflicts(
  nf: NetlinkSocket,
  own: readonly SetElement[],
  refusal: SystemError | undefined,
  lives: Lives,
): Conflicts {
  const present = presentElements(nf, own);
  const stale = overlapping(nf, own, present, refusal);
  const missing = own.filter((element) => {
    const there = present.get(elementId(element));
    if (there === undefined) return true;
    const others = there.comment !== element.comment;
    if (others && isExclusive(element)) throw portTaken(element, there.comment, refusal);
    if (others && lives(there.comment)) throw addressTaken(element, there.comment, refusal);
    if (!others && (element.data === undefined || there.data?.equals(element.data))) return false;
    stale.push(there);
    return true;
  });
  return { stale, missing };
}

/** What became of an attempt: done, or worth another one for this reason. Anything else is thrown. */
export function outcome(
  failures: readonly BatchFailure[],
  ...worthRetrying: string[]
): SystemError | undefined {
  const [first] = failures;
  if (first === undefined) return undefined;
  const raced = failedWith(failures, 'ERESTART', ...worthRetrying);
  if (raced === undefined) throw first.error;
  return raced;
}
