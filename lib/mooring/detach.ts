/**
 * Taking an attachment down from its record alone: no namespace, no config and no previous result are needed.
 *
 * Who takes one down has it in hand: the record names him, and as long as he is at work nobody else touches it, nor
 * what it stands for. So what is found under its names is its own, and nothing that was made after it goes with it.
 */
import { NetmoorError, errorText, isErrno } from '../base/errors.ts';
import type { UndoFailure } from '../base/undo.ts';
import type { Link } from '../netlink/link-message.ts';
import { removeLinks } from '../netlink/link-removal.ts';
import { isSameWorker } from '../system/worker.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { isInHand } from './death.ts';
import { releaseDelegated } from './delegated.ts';
import { writeAlone } from './host.ts';
import type { Host } from './host.ts';
import type { Kind, Last, MooringConfig, MooringDetail, Removal } from './kind.ts';
import { lastOf, understand } from './records.ts';
import { whyElsewhere } from './vantage.ts';

/**
 * How long another worker is waited for, who mostly needs some 50 ms; in steps, since nothing tells when he is done.
 */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 5;

/** Whether the record is still that of the same life of its key. */
export function isCurrent(
  tx: StoreReader,
  record: Pick<AttachmentRecord, 'incarnation'> & AttachmentKey,
): boolean {
  return tx.incarnation(record) === record.incarnation;
}

function refuseBusy(record: AttachmentRecord): never {
  const { pid } = record.worker ?? {};
  throw new NetmoorError(
    'try-again',
    `${formatKey(record)} is ${record.state} right now, by process ${pid}`,
    'wait for it to finish, and try again',
  );
}

/**
 * Takes the record in hand, waiting for whoever has it. Undefined when there is nothing to do any more: it is gone, or
 * another life of the key has begun. An ADD does not wait for another ADD. Throws NetmoorError('try-again').
 */
function takeInHand(
  { store, worker, world }: Host,
  record: AttachmentRecord,
  verb: 'ADD' | 'DEL',
): AttachmentRecord | undefined {
  const deadline = world.monotonic() + PATIENCE_MS;
  for (;;) {
    const found = store.intend((tx) => {
      const current = tx.attachment(record);
      if (current === undefined || current.incarnation !== record.incarnation) return undefined;
      if (isInHand(current, world) && !isSameWorker(current.worker, worker)) return { rival: current };
      const mine: AttachmentRecord = { ...current, state: 'detaching', ...(worker ? { worker } : {}) };
      tx.putAttachment(mine);
      return { mine };
    });
    if (found === undefined) return undefined;
    if (found.mine !== undefined) return found.mine;
    if (verb === 'ADD' && found.rival.state === 'attaching') refuseBusy(found.rival);
    if (world.monotonic() >= deadline) refuseBusy(found.rival);
    world.pause(PAUSE_MS);
  }
}

/**
 * Removes a record, and that of a network or a scope which nobody uses any more; then its heirs may take over. Inside a
 * write transaction of every store, of which `host` asks the others.
 */
export function forgetRecord(
  kind: Kind,
  host: Host,
  tx: StoreTransaction,
  record: AttachmentRecord,
  { ofNetwork, onSegment }: Last,
  staysBehind = false,
): void {
  const { network, segment } = record;
  tx.removeAttachment(record);
  // The record of a network whose segment stays is what tells that from one left behind.
  if (ofNetwork && !staysBehind && tx.network(network)?.automatic === false) tx.removeNetwork(network);
  if (onSegment && !staysBehind && segment !== undefined && tx.network(network) === undefined)
    tx.removeScope(kind.scopeOf(segment));
  kind.passOn(host, tx, record);
}

/** What cannot be understood is released by its key, in one go. */
function detachUnreadable(kind: Kind, host: Host, record: AttachmentRecord): UndoFailure[] {
  try {
    writeAlone(host, (tx, ask, look) => {
      if (!isCurrent(tx, record)) return;
      kind.removeByKey(host, record);
      forgetRecord(kind, { ...host, askOthers: look }, tx, record, lastOf(tx, ask, kind, record));
    });
    return [];
  } catch (error) {
    return [{ what: 'release it', error }];
  }
}

/**
 * Of another boot nothing is left but what another IPAM plugin has leased; the store drops the record at its first
 * write.
 */
function detachOtherBoot(host: Host, record: AttachmentRecord): UndoFailure[] {
  try {
    host.store.write((tx) => {
      if (isCurrent(tx, record)) tx.removeAttachment(record);
    });
    releaseDelegated(host, record);
    return [];
  } catch (error) {
    return [{ what: 'give its addresses back', error }];
  }
}

/** The host side is out of reach: the record goes, and what it stands for is for "netmoor gc" over there. */
function detachElsewhere(kind: Kind, host: Host, record: AttachmentRecord, why: string): UndoFailure[] {
  host.surroundings.note(`${formatKey(record)}: ${why}; only its record and its addresses are released`);
  try {
    releaseDelegated(host, record);
    writeAlone(host, (tx, ask, look) => {
      if (isCurrent(tx, record))
        forgetRecord(kind, { ...host, askOthers: look }, tx, record, lastOf(tx, ask, kind, record));
    });
    return [];
  } catch (error) {
    return [{ what: 'release it', error }];
  }
}

/** Removing what it shares, and forgetting it, as one: nobody who shares it can begin meanwhile, in any store. */
function leaveAndForget<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  record: AttachmentRecord<D>,
  whole: boolean,
): void {
  const stays = kind.staysBehind(host, record);
  writeAlone(host, (tx, ask, look) => {
    if (!isCurrent(tx, record)) return;
    const last = lastOf(tx, ask, kind, record);
    const locked: Host = { ...host, askOthers: look };
    kind.leaveShared(locked, record, last, whole);
    host.step('detach: shared things seen to');
    forgetRecord(kind, locked, tx, record, last, stays);
  });
}

/** All of one thing to take away. */
export function removeNow({ route }: Pick<Host, 'route'>, { remove, links }: Removal): void {
  remove();
  if (links) removeLinks(route, links());
}

/**
 * Yields interfaces that whoever carries it out deletes before he goes on, alone or along with those of others, and
 * takes what went wrong with that: { error }.
 */
type Detaching = Generator<readonly Link[], UndoFailure[], { readonly error: unknown } | undefined>;

function* detachKnown<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  record: AttachmentRecord<D>,
): Detaching {
  const failures: UndoFailure[] = [];
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      failures.push({ what, error });
    }
  };
  host.step('detach: marked');
  attempt('give its addresses back', () => releaseDelegated(host, record));
  host.step('detach: addresses given back');
  // The last one's rules and interfaces go together with tables and segment, under the lock; any other's keep nobody
  // waiting. After a failure there is no such transaction yet: an address that may be somebody else's by now is not
  // left in use for it.
  const whole =
    failures.length === 0 && host.store.read((tx) => lastOf(tx, host.askOthers, kind, record)).onSegment;
  for (const { what, step, remove, links } of whole ? [] : kind.own(host, record)) {
    attempt(what, remove);
    let found: readonly Link[] = [];
    if (links) attempt(what, () => (found = links()));
    const failure = found.length > 0 ? yield found : undefined;
    if (failure) failures.push({ what, ...failure });
    host.step(step);
  }
  host.step('detach: interfaces seen to');
  if (failures.length === 0) attempt('forget it', () => leaveAndForget(kind, host, record, whole));
  host.step('detach: forgotten');
  if (failures.length > 0) return failures;
  try {
    kind.afterwards(host, record);
  } catch (error) {
    host.surroundings.note(`${formatKey(record)} is detached, but: ${errorText(error)}`);
  }
  return failures;
}

function* detaching<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  record: AttachmentRecord,
  verb: 'ADD' | 'DEL',
): Detaching {
  if (record.plugin !== kind.name) {
    throw new NetmoorError(
      'ifname-taken',
      `${formatKey(record)} is an attachment of ${record.plugin}`,
      'detach it with the plugin that made it, or give this network another name',
    );
  }
  const elsewhere = whyElsewhere(record, host.world);
  if (elsewhere !== undefined) return detachElsewhere(kind, host, record, elsewhere);
  if (record.bootId !== host.world.bootId) return detachOtherBoot(host, record);
  const mine = takeInHand(host, record, verb);
  if (mine === undefined) return [];
  const read = understand(kind, mine);
  return 'known' in read ? yield* detachKnown(kind, host, read.known) : detachUnreadable(kind, host, mine);
}

/**
 * Takes one attachment of the kind down, going on after failures. When there were any the record stays, marked
 * "detaching", and the next DEL or GC tries again. `verb`: on whose behalf. Throws NetmoorError('try-again') while
 * another is at work on it.
 */
export function detach<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  record: AttachmentRecord,
  verb: 'ADD' | 'DEL' = 'DEL',
): UndoFailure[] {
  const work = detaching(kind, host, record, verb);
  for (let step = work.next(); ; ) {
    if (step.done) return step.value;
    const links = step.value;
    step = work.next(failureOf(() => removeLinks(host.route, links)));
  }
}

function failureOf(work: () => void): { readonly error: unknown } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** The same where others may be taken down at the same time: the kernel takes as long for all as for one. */
export async function detachTogether(
  kind: Kind,
  host: Host,
  record: AttachmentRecord,
): Promise<UndoFailure[]> {
  const { together } = host.world;
  if (together === undefined) return detach(kind, host, record);
  const work = detaching(kind, host, record, 'DEL');
  for (let step = work.next(); ; ) {
    if (step.done) return step.value;
    const removal = together('delete interfaces', step.value, (all) => removeLinks(host.route, all.flat()));
    step = work.next(
      await removal.then(
        () => undefined,
        (error: unknown) => ({ error }),
      ),
    );
  }
}

/** DEL of something no store knows: what its key tells is removed, unless an ADD begins this very moment. */
export function detachUnknown(kind: Kind, host: Host, key: AttachmentKey): void {
  if (!kind.isLeft(host, key)) return;
  writeAlone(host, (tx, ask) => {
    const has = (reader: StoreReader): boolean => reader.attachment(key) !== undefined;
    if (![has(tx), ...ask(has, false)].includes(true)) kind.removeByKey(host, key);
  });
}

/** A store that somebody else held for too long is worth another try, as it is everywhere. */
function kindOf(error: unknown): 'privilege' | 'kernel' | 'try-again' | 'delegate' {
  if (error instanceof NetmoorError && (error.kind === 'try-again' || error.kind === 'delegate'))
    return error.kind;
  return isErrno(error, 'EPERM', 'EACCES') ? 'privilege' : 'kernel';
}

/** One error for what could not be taken down; undefined when all could. */
export function teardownError(
  key: AttachmentKey,
  failures: readonly UndoFailure[],
): NetmoorError | undefined {
  const first = failures[0];
  if (first === undefined) return undefined;
  const list = failures.map(({ what, error }) => `${what}: ${errorText(error)}`).join('; ');
  return new NetmoorError(
    kindOf(first.error),
    `could not fully detach ${formatKey(key)}: ${list}`,
    'it stays on record; "netmoor gc" tries again',
    { cause: first.error },
  );
}
