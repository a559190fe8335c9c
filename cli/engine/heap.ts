/** V8's garbage, and when it is collected. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

/** What is not worth a collection. */
const LITTLE_BYTES = 512 * 1024;

/** Milliseconds in which whoever has been answered may ask for more. */
const PAUSE_MS = 5;

/** V8's own function. The flag is taken back: code caches are refused under other flags than they were made with. */
export function collector(): Collect {
  setFlagsFromString('--expose-gc');
  const collect: Collect = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return collect;
}

/** What this thread has allocated since the last collection. */
export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_used_size ?? 0;
}

/**
 * To be called when a thread begins to work: once it is done and nobody has come for a moment its young garbage is
 * collected. Otherwise V8 does so when there is no room left, which is in the middle of a request, and takes what that
 * one is just using for what will stay.
 */
export function collectAfterwards(collect: Collect = collector()): () => void {
  let pause: NodeJS.Timeout | undefined;
  return () => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      if (youngBytes() > LITTLE_BYTES) collect({ type: 'minor' });
    }, PAUSE_MS).unref();
  };
}
