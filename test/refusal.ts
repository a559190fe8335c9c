/** How something is refused, as data. */
import { NetmoorError } from '../lib/base/errors.ts';

/** The kind of the error that `work` throws; undefined when it throws none. */
export function refusalOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof NetmoorError) return error.kind;
    throw error;
  }
}
