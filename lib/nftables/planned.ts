/** Changes that follow from what was read: made only if the ruleset is still what it was then, else planned again. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { failedWith, tryCommit } from './batch.ts';
import type { NftMessage } from './message.ts';
import { currentGeneration } from './query.ts';

/** Each attempt that fails means that another process got its work done; this many in a row mean something else. */
export const ATTEMPTS = 64;

/**
 * Commits what `plan` finds necessary; nothing when it plans nothing. Returns the generation that was changed, into the
 * next one; undefined when none was. Throws SystemError.
 */
export function commitPlanned(
  nf: NetlinkSocket,
  op: string,
  plan: () => readonly NftMessage[],
): number | undefined {
  for (let attempt = 1; ; attempt++) {
    const generation = currentGeneration(nf, op);
    const messages = plan();
    const failures = tryCommit(nf, messages, op, generation);
    const [first] = failures;
    if (first === undefined) return messages.length > 0 ? generation : undefined;
    if (!failedWith(failures, 'ERESTART', 'ENOENT') || attempt === ATTEMPTS) throw first.error;
  }
}
