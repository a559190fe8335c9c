/** Elements in netmoor's sets that nobody accounts for: finding them, and removing them and them alone. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { failedWith, tryCommit } from './batch.ts';
import { elementMessages } from './element-messages.ts';
import type { SetElement } from './element.ts';
import { SET_NAMES, setPlan } from './layout.ts';
import { beforeRemoval } from './localnet.ts';
import { elementsOf } from './present.ts';
import { currentGeneration } from './query.ts';
import { FAMILIES, tableStates } from './tables.ts';

/** Each attempt that fails means that another process got its work done; this many in a row mean something else. */
const ATTEMPTS = 64;

/** All elements in tables of this version's layout; another layout's sets are not ours to read. */
export function allElements(nf: NetlinkSocket): SetElement[] {
  const states = tableStates(nf, FAMILIES);
  return SET_NAMES.filter((set) => states.get(setPlan(set).family)?.current === true).flatMap((set) =>
    elementsOf(nf, set),
  );
}

/** Whether there are tables of ours, of whatever layout; one that another program has for itself is none. */
export function hasTables(nf: NetlinkSocket, families = FAMILIES): boolean {
  return tableStates(nf, families)
    .values()
    .some(({ owner }) => owner === undefined);
}

/** Removes the elements that `isStray` picks out of all, in one transaction, and returns them. Throws SystemError. */
export function removeStrays(nf: NetlinkSocket, isStray: (element: SetElement) => boolean): SetElement[] {
  const op = 'remove nftables elements';
  for (let attempt = 1; ; attempt++) {
    const generation = currentGeneration(nf, op);
    const strays = allElements(nf).filter(isStray);
    beforeRemoval(strays);
    const failures = tryCommit(nf, elementMessages('DELSETELEM', strays), op, generation);
    const [first] = failures;
    if (first === undefined) return strays;
    if (!failedWith(failures, 'ERESTART', 'ENOENT') || attempt === ATTEMPTS) throw first.error;
  }
}
