/** Many jobs at once, of which some may fail: a busy machine makes whoever waits for locks give up. */
import type { Who } from './figures.ts';
import type { Job, Spawner, Timing } from './spawner.ts';

export interface Crowd {
  /** Milliseconds until the last was done; undefined where some failed: that is nobody's victory. */
  readonly wall: number | undefined;
  /** By job; those who failed at first have been told to try again, alone. */
  readonly timings: readonly Timing[];
  /** Who failed, and how. */
  readonly remark?: string;
}

/** All jobs, so many at a time. */
export async function crowd(
  { who, spawner }: { readonly who: Who; readonly spawner: Spawner },
  jobs: readonly Job[],
  workers: number,
): Promise<Crowd> {
  const { jobs: ended, wall } = await spawner.run(workers, jobs);
  const timings: Timing[] = [];
  for (const timing of ended) timings[timing.job] = timing;
  const failed = ended.filter(({ failure }) => failure !== undefined);
  for (const { job } of failed) timings[job] = await spawner.time(jobs[job] ?? []);
  if (failed.length === 0) return { wall, timings };
  const remark = `${who}: ${failed.length} of ${jobs.length} failed, the first: ${failed[0]?.failure}`;
  return { wall: undefined, timings, remark };
}
