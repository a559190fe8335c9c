/** Measuring two in turns (A B A B …), so that whatever else the machine does meets both alike. */
import { untilQuiet } from './quiet.ts';

/** No comparison goes on much longer than this, so that a busy machine gives fewer figures instead of none. */
const BUDGET_MS = 30_000;
const FEWEST_ROUNDS = 3;

/**
 * Runs `measure` in turn with both, `rounds` times if the budget lasts; the first round warms up and does not count.
 */
export async function alternate<C, T>(
  pair: readonly [reference: C, own: C],
  rounds: number,
  measure: (contender: C) => Promise<T>,
  budgetMs = BUDGET_MS,
): Promise<[T[], T[]]> {
  const results: [T[], T[]] = [[], []];
  await untilQuiet();
  const end = performance.now() + budgetMs;
  for (let round = 0; round <= rounds; round++) {
    if (round > FEWEST_ROUNDS && performance.now() > end) break;
    for (const [i, contender] of pair.entries()) {
      const result = await measure(contender);
      if (round > 0) results[i]?.push(result);
    }
  }
  return results;
}
