/** Several things at a time, as many as the machine bears: what is long at the end of one tier holds up no other. */

export interface Task {
  /** How much of a processor it takes. */
  readonly share: number;
  /** Of those with the same word one runs at a time. */
  readonly alone?: string;
  /** What becomes of it is its own business: it does not reject. */
  readonly run: () => Promise<void>;
}

/** Shares are fractions, and three thirds one. */
const ROUNDING = 1e-6;

/**
 * Runs the tasks in their order, but for those that wait for one of the same word; at least one at a time, and as many
 * as there are processors for.
 */
export async function runAll(tasks: readonly Task[], processors: number): Promise<void> {
  const left = [...tasks];
  const running = new Map<Task, Promise<void>>();
  const mayBegin = ({ share, alone }: Task): boolean => {
    const others = [...running.keys()];
    const taken = others.reduce((sum, other) => sum + other.share, 0);
    if (alone !== undefined && others.some((other) => other.alone === alone)) return false;
    return others.length === 0 || taken + share <= processors + ROUNDING;
  };
  while (left.length > 0 || running.size > 0) {
    const next = left.find(mayBegin);
    if (next === undefined) await Promise.race(running.values());
    else {
      left.splice(left.indexOf(next), 1);
      running.set(
        next,
        next.run().then(() => void running.delete(next)),
      );
    }
  }
}
