/** Measuring two or more in turns (A B A B …), so that whatever else the machine does meets both alike. */
import { untilQuiet } from './quiet.ts';

/** No comparison goes on much longer than this, so that a busy machine gives fewer figures instead of none. */
const BUDGET_MS = 30_000;
const FEWEST_ROUNDS = 3;

/** Fewer are for seeing that it works. */
const WORTH_QUIET = 10;

/** For each contender what its rounds gave. */
export type Rounds<Cs extends readonly unknown[], T> = { -readonly [K in keyof Cs]: T[] };

/**
 * Runs `measure` in turn with all, `rounds` times if the budget lasts; the first round warms up and does not count.
 */
export async function alternate<const Cs extends readonly unknown[], T>(
  contenders: Cs,
  rounds: number,
  measure: (contender: Cs[number]) => Promise<T>,
  budgetMs = BUDGET_MS,
): Promise<Rounds<Cs, T>> {
  const results = contenders.map((): T[] => []);
  if (rounds >= WORTH_QUIET) await untilQuiet();
  const end = performance.now() + budgetMs;
  for (let round = 0; round <= rounds; round++) {
    if (round > FEWEST_ROUNDS && performance.now() > end) break;
    for (const [i, contender] of contenders.entries()) {
      const result = await measure(contender);
      if (round > 0) results[i]?.push(result);
    }
  }
  return results as Rounds<Cs, T>;
}
