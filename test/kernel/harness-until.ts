/**
 * Waiting for a state that announces itself to nobody: asked again and again, under a deadline.
 */
import { setTimeout as pause } from 'node:timers/promises';

const ASK_AGAIN_MS = 5;

/**
 * Resolves with the first answer that is neither false nor undefined; `what` names the awaited state in the error.
 * An exception from `check` is remembered and becomes the error's cause if the state never comes.
 */
export async function until<T>(
  check: () => T | Promise<T>,
  what: string,
  deadlineMs = 5_000,
): Promise<Exclude<T, false | undefined>> {
  const end = Date.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await check();
      if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= end) throw new Error(`did not happen in ${deadlineMs} ms: ${what}`, { cause });
    await pause(ASK_AGAIN_MS);
  }
}
