/**
 * Adding to the guard's table. Optimistic, as in ../table.ts: one transaction with the elements alone, and only where
 * the table is missing, or not as it was made, is it built with everything that should be in it.
 */
import type { SystemError } from '../../base/errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/socket.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { failedWith, tryCommit } from '../batch.ts';
import { outcome, ownConflicts } from '../conflicts.ts';
import type { Lives } from '../conflicts.ts';
import { elementMessages } from '../element-messages.ts';
import type { SetElement } from '../element.ts';
import type { NftMessage } from '../message.ts';
import { elementId, presentElements } from '../present.ts';
import { ownerComment } from '../owner.ts';
import { ATTEMPTS, commitPlanned } from '../planned.ts';
import { currentGeneration } from '../query.ts';
import { mending } from './masters.ts';
import type { PortElements } from './port-elements.ts';
import type { MooredPort } from './port.ts';
import { guardElements } from './present.ts';
import { fitTable, rebuildGuard } from './rebuild.ts';
import type { Wanted } from './rebuild.ts';

export const ADDITION = 'guard a port';

/** What several may have is there already, perhaps. */
export function additions({ own, known, shared }: PortElements): NftMessage[] {
  return [
    ...elementMessages('NEWSETELEM', [...shared, ...known], NLM_F_CREATE),
    ...elementMessages('NEWSETELEM', own, NLM_F_CREATE | NLM_F_EXCL),
  ];
}

/** Of addresses that two may believe to have, those whose owner is dead: the next of that MAC address has them. */
function abandoned(nf: NetlinkSocket, known: readonly SetElement[], lives: Lives): SetElement[] {
  const present = presentElements(nf, known);
  return known.flatMap((element) => {
    const there = present.get(elementId(element));
    return there === undefined || there.comment === element.comment || lives(there.comment) ? [] : [there];
  });
}

/**
 * Builds the table. Who is detached while that is done looks for what is his before it is there: it is taken away for
 * him. Whoever is still among the others afterwards will look later.
 */
function build(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): SystemError | undefined {
  const owners = (): string[] => everyOther().map(({ owner }) => ownerComment(owner));
  const added = new Set<string>();
  const others = (): readonly MooredPort[] => {
    const ports = everyOther();
    for (const { owner } of ports) added.add(ownerComment(owner));
    return ports;
  };
  const reason = outcome(rebuildGuard(nf, wanted, others, lives), 'EEXIST');
  if (reason !== undefined || added.size === 0) return reason;
  const gone = added.difference(new Set(owners()));
  if (gone.size === 0) return undefined;
  commitPlanned(nf, ADDITION, () =>
    elementMessages(
      'DELSETELEM',
      guardElements(nf).filter(({ comment }) => gone.has(comment)),
    ),
  );
  return undefined;
}

function attempt(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): SystemError | undefined {
  const rules = fitTable(nf);
  if (rules === undefined) return build(nf, wanted, everyOther, lives);
  const mend = mending(nf, wanted.master, rules);
  let failures = tryCommit(nf, [...mend, ...additions(wanted)], ADDITION);
  const nowhere = failures.find(
    ({ index, error }) => mend[index]?.name === 'NEWCHAIN' && error.code === 'ENOENT',
  );
  const ofElements = failures.filter(({ index }) => index >= mend.length);
  // Without the table elements have no place either.
  if (nowhere && !failedWith(ofElements, 'ENOENT')) throw nowhere.error;
  const taken = failedWith(ofElements, 'EEXIST');
  if (taken && !failedWith(failures, 'ENOENT')) {
    const generation = currentGeneration(nf, ADDITION);
    const { stale, missing } = ownConflicts(nf, wanted.own, taken, lives);
    const messages = [
      ...mending(nf, wanted.master, rules),
      ...elementMessages('DELSETELEM', [...stale, ...abandoned(nf, wanted.known, lives)]),
      ...additions({ ...wanted, own: missing }),
    ];
    failures = tryCommit(nf, messages, ADDITION, generation);
  }
  // ENOENT: somebody has taken the table apart since we looked.
  return outcome(failures, 'EEXIST', 'ENOENT');
}

/** Adds what is wanted behind one master, until nobody comes between; builds the table where it has to be. */
export function ensure(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): void {
  for (let tries = 1; ; tries++) {
    const reason = attempt(nf, wanted, everyOther, lives);
    if (reason === undefined) return;
    if (tries === ATTEMPTS) throw reason;
  }
}
