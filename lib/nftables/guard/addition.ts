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
import { ATTEMPTS } from '../planned.ts';
import { currentGeneration } from '../query.ts';
import { mending } from './masters.ts';
import type { PortElements } from './port-elements.ts';
import type { MooredPort } from './port.ts';
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

function attempt(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): SystemError | undefined {
  const rules = fitTable(nf);
  if (rules === undefined) return outcome(rebuildGuard(nf, wanted, everyOther, lives), 'EEXIST');
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
