/**
 * Memory of a process that stays. The executable starts with room for all that a one-shot program allocates before the
 * first garbage collection (cli/build/flags.ts): a resident one would go through all of it, 64 MiB, over and over. So
 * young garbage is collected as soon as there is a little of it, which takes a fraction of a millisecond.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dropFilePages } from '../../lib/system/file-pages.ts';
import { Libc } from '../../lib/system/native.ts';

const YOUNG_BYTES = 2 * 1024 * 1024;
const LOOK_MS = 1_000;
const PAGES_MS = 60_000;

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

/** V8's own function. The flag is taken back: code caches are refused under other flags than they were made with. */
function collector(): Collect {
  setFlagsFromString('--expose-gc');
  const collect: Collect = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return collect;
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_used_size ?? 0;
}

export class Frugality {
  readonly #collect = collector();
  readonly #timer = setInterval(() => this.look(), LOOK_MS).unref();
  /** Where threads never end, since something is always being prolonged. */
  readonly #pages = setInterval(() => this.tidy(), PAGES_MS).unref();

  /** To be called after everything that leaves garbage. */
  look(): void {
    if (youngBytes() > YOUNG_BYTES) this.#collect({ type: 'minor' });
  }

  /** Gives back what threads that have ended, and requests that are done, have left. */
  tidy(): void {
    this.#collect({ type: 'major' });
    Libc.get().call('int malloc_trim(size_t)', 0);
    dropFilePages();
  }

  end(): void {
    clearInterval(this.#timer);
    clearInterval(this.#pages);
  }
}
