/**
 * netmoor's nftables tables: what an attachment needs is there after addAttachment(), and gone after
 * removeAttachment().
 *
 * Adding is optimistic: one transaction with the attachment's elements alone. Only where a table is missing, or not as
 * it was made (intact.ts), is it built, in one transaction with everything that should be in it (rebuild.ts). Processes
 * may race: the table is created exclusively, and who comes second starts over. What was read before a transaction that
 * depends on it is protected by the ruleset's generation number: the kernel refuses the transaction when anything
 * changed in between.
 */
import { NetmoorError } from '../base/errors.ts';
import type { SystemError } from '../base/errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/socket.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { failedWith, tryCommit } from './batch.ts';
import type { BatchFailure } from './batch.ts';
import { outcome, ownConflicts } from './conflicts.ts';
import type { Conflicts, Lives } from './conflicts.ts';
import { mayCross, refuseCrossing } from './contended.ts';
import { carryOver } from './known.ts';
import type { Known } from './known.ts';
import { elementMessages } from './element-messages.ts';
import { bridgeElements } from './bridge-elements.ts';
import { attachmentElements } from './elements.ts';
import type { SetElement } from './element.ts';
import { SETS } from './layout-sets.ts';
import { SET_NAMES, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { beforeRemoval } from './localnet.ts';
import type { NftMessage } from './message.ts';
import { bridgeComment, ownerComment } from './owner.ts';
import { covers, distinct, elementId, elementsOf, presentElements } from './present.ts';
import { ATTEMPTS, commitPlanned } from './planned.ts';
import { currentGeneration } from './query.ts';
import type { AttachmentRules } from './rules.ts';
import { familiesOf, rebuild, unfitTables } from './rebuild.ts';
import { FAMILIES, dropTables, tableStates } from './tables.ts';

export type { Lives } from './conflicts.ts';
export { listElements } from './listing.ts';
export type { ListedElement } from './listing.ts';
export { bridgeComment, ownerComment } from './owner.ts';
export type { Owner } from './owner.ts';
export type { AttachmentRules, IngressPolicy, NetworkRules, PortForward, Protocol } from './rules.ts';

/** Elements that a bridge shares may be there already: everyone on it adds them. */
function additions(shared: readonly SetElement[], own: readonly SetElement[]): NftMessage[] {
  return [
    ...elementMessages('NEWSETELEM', shared, NLM_F_CREATE),
    ...elementMessages('NEWSETELEM', own, NLM_F_CREATE | NLM_F_EXCL),
  ];
}

/** A subnet of the bridge that lies within another is known already; one around others takes their place. */
function subnetConflicts(nf: NetlinkSocket, shared: readonly SetElement[]): Conflicts {
  const stale: SetElement[] = [];
  const missing = shared.filter((element) => {
    if (!element.keyEnd) return true;
    const there = elementsOf(nf, element.set);
    if (there.some((other) => covers(other, element))) return false;
    stale.push(...there.filter((other) => covers(element, other)));
    return true;
  });
  return { stale, missing };
}

/** Adds what is missing after the kernel has refused to add all. */
function resolve(
  nf: NetlinkSocket,
  shared: readonly SetElement[],
  own: readonly SetElement[],
  refusal: SystemError,
  lives: Lives,
  generation: number = currentGeneration(nf, refusal.op),
): BatchFailure[] {
  const mine = ownConflicts(nf, own, refusal, lives);
  const bridge = subnetConflicts(nf, shared);
  const deletions = elementMessages('DELSETELEM', [...mine.stale, ...bridge.stale]);
  return tryCommit(nf, [...deletions, ...additions(bridge.missing, mine.missing)], refusal.op, generation);
}

type Seen = Pick<Known, 'generation' | 'families'>;

function attemptAdd(
  nf: NetlinkSocket,
  a: AttachmentRules,
  everyOther: () => readonly AttachmentRules[],
  lives: Lives,
  seen: Seen | undefined,
): SystemError | undefined {
  const op = 'add nftables elements';
  const shared = distinct(bridgeElements(a.rules));
  const own = distinct(attachmentElements(a));
  const wanted = [...shared, ...own];
  const needed = familiesOf(wanted);
  if (!needed.every((family) => seen?.families.includes(family)) && unfitTables(nf, needed).length > 0)
    return outcome(rebuild(nf, wanted, everyOther), 'EEXIST', 'ENOENT');
  const generation = mayCross(own) ? (seen?.generation ?? currentGeneration(nf, op)) : undefined;
  refuseCrossing(nf, own);
  let failures = tryCommit(nf, additions(shared, own), op, generation);
  const taken = failedWith(failures, 'EEXIST');
  if (taken && !failedWith(failures, 'ENOENT')) failures = resolve(nf, shared, own, taken, lives, generation);
  // ENOENT: somebody has taken the table apart since we looked.
  return outcome(failures, 'EEXIST', 'ENOENT');
}

/**
 * Adds everything the attachment needs, in one transaction; repeating it changes nothing. `everyOther` is called only
 * when the tables have to be built, and says what other attachments need, of whom none may come or go until they are.
 * Throws NetmoorError('port-taken') naming the holder of a published port, 'address-taken' for an address whose holder
 * `lives`, and SystemError. `seen`: what is known of the ruleset (known.ts), at the generation that it has.
 */
export function addAttachment(
  nf: NetlinkSocket,
  a: AttachmentRules,
  everyOther: () => readonly AttachmentRules[],
  lives: Lives = () => false,
  seen?: Seen,
): void {
  for (let attempt = 1; ; attempt++) {
    const reason = attemptAdd(nf, a, everyOther, lives, attempt === 1 ? seen : undefined);
    if (reason === undefined) return;
    if (attempt < ATTEMPTS) continue;
    // Others, who are on record with one port at the same time: one of them is about to be refused.
    const what = 'the tables of nftables are being changed by others all the time';
    throw new NetmoorError('try-again', `${what}: ${reason.message}`, 'try again', { cause: reason });
  }
}

const REMOVAL = 'remove nftables elements';
const BRIDGE_SETS = SET_NAMES.filter((set) => SETS[set].of === 'bridge');

/**
 * What bears the attachment's name, or its bridge's, in tables of our layout; another layout's sets are not ours to
 * read.
 */
function removable(nf: NetlinkSocket, a: AttachmentRules, withBridge: boolean): SetElement[] {
  const states = tableStates(nf, FAMILIES);
  const readable = (set: SetName) => states.get(setPlan(set).family)?.current === true;
  const owner = ownerComment(a.owner);
  const bridge = bridgeComment(a.rules.bridge);
  const wanted = distinct(attachmentElements(a)).filter(({ set }) => readable(set));
  const own = [...presentElements(nf, wanted).values()].filter(({ comment }) => comment === owner);
  const sets = withBridge ? BRIDGE_SETS.filter(readable) : [];
  return [...own, ...sets.flatMap((set) => elementsOf(nf, set)).filter(({ comment }) => comment === bridge)];
}

function deletion(elements: readonly SetElement[]): NftMessage[] {
  beforeRemoval(elements);
  return elementMessages('DELSETELEM', elements);
}

/** Of what is removed, whether it was the last: of its network, on its bridge (its network, when not said), of all. */
export interface Last {
  readonly ofNetwork: boolean;
  readonly onBridge?: boolean;
  readonly ofAll: boolean;
}

/**
 * Removes the elements that bear the attachment's name; with the last on a bridge those of the bridge, with the last of
 * all the tables. Whatever is gone already is fine, and what another owns is left alone.
 */
export function removeAttachment(nf: NetlinkSocket, a: AttachmentRules, last: Last): void {
  const withBridge = last.ofAll || (last.onBridge ?? last.ofNetwork);
  const changed = commitPlanned(nf, REMOVAL, () => deletion(removable(nf, a, withBridge)));
  if (last.ofAll) dropTables(nf);
  else if (changed !== undefined) carryOver(changed);
}

/** The families of the tables that an attachment has something in. */
export function familiesNeeded(a: AttachmentRules): number[] {
  return familiesOf([...bridgeElements(a.rules), ...attachmentElements(a)]);
}

/** Whether the one stands for what the other does. */
function isSame(a: SetElement, b: SetElement): boolean {
  return elementId(a) === elementId(b) && (a.data === undefined || b.data?.equals(a.data) === true);
}

/**
 * From what the attachment needed to what it needs now, when the network has given it other addresses. In two steps:
 * what went by the old address has come to nothing already. Errors as of addAttachment().
 */
export function changeAttachment(
  nf: NetlinkSocket,
  before: AttachmentRules,
  after: AttachmentRules,
  everyOther: () => readonly AttachmentRules[],
): void {
  const owner = ownerComment(before.owner);
  const will = attachmentElements(after);
  const gone = distinct(attachmentElements(before)).filter(
    (each) => !will.some((other) => isSame(each, other)),
  );
  const readable = unfitTables(nf, familiesOf(gone)).length === 0;
  if (gone.length > 0 && readable)
    commitPlanned(nf, REMOVAL, () =>
      deletion(
        [...presentElements(nf, gone).values()].filter(
          (there) => there.comment === owner && gone.some((each) => isSame(each, there)),
        ),
      ),
    );
  addAttachment(nf, after, everyOther);
}

/**
 * Removes all elements that bear one of these names (see listElements), for owners of whom nothing else is known; how
 * many.
 */
export function removeElementsOf(nf: NetlinkSocket, owners: ReadonlySet<string>): number {
  let count = 0;
  commitPlanned(nf, REMOVAL, () => {
    const elements = SET_NAMES.flatMap((set) => elementsOf(nf, set)).filter(({ comment }) =>
      owners.has(comment),
    );
    count = elements.length;
    return deletion(elements);
  });
  return count;
}
