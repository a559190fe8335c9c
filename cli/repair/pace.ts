/**
 * When to look again. Whoever changes the host's firewall does so in several steps, which are let come to their end;
 * what is netmoor's own is put back at once, as connections that send while it is gone may be reset. And whoever takes
 * away what was put back, over and over, is not fought without end. Pure.
 */
import type { Concern } from '../../lib/nftables/news.ts';

/** Milliseconds that follow-ups of a change are waited for. */
const SETTLE: Readonly<Record<Concern, number>> = { tables: 20, ways: 250 };
/** The longest that one keeps waiting for the end of changes. */
const PATIENCE = 1_000;
/** Looking takes at most a tenth of a thread. */
const SHARE = 10;
/** So many repairs in a row are made at once; after them each waits twice as long as the one before. */
const AT_ONCE = 4;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 60_000;
/** Without anything to repair for so long, a fight is over. */
const PEACE = 120_000;

export class Pace {
  #first: number | undefined;
  #due: number | undefined;
  #notBefore = 0;
  #repairs = 0;
  #lastRepair = -Infinity;

  /** When to look; undefined: there is no reason to. Milliseconds of the clock that `now` is of. */
  get due(): number | undefined {
    return this.#due === undefined ? undefined : Math.max(this.#due, this.#notBefore);
  }

  /** Something has changed. */
  changed(now: number, concern: Concern): void {
    this.#first ??= now;
    const settled = Math.min(now + SETTLE[concern], this.#first + PATIENCE);
    // What waits for the end of changes elsewhere does not hold up what does not.
    const grave = concern === 'tables' && this.#due !== undefined;
    this.#due = grave ? Math.min(settled, this.#due ?? settled) : settled;
  }

  /** A look at `at`, whatever happens. */
  later(at: number): void {
    this.#due = Math.min(this.#due ?? at, at);
  }

  /** One looks now: what has been heard so far is seen. */
  begin(): void {
    this.#first = undefined;
    this.#due = undefined;
  }

  /** One has looked since `began`, and found something to repair, or not; how long it waits for the next time. */
  done(began: number, now: number, repaired: boolean): number {
    if (repaired) {
      this.#repairs = now - this.#lastRepair > PEACE ? 1 : this.#repairs + 1;
      this.#lastRepair = now;
    }
    const pause = repaired && this.isFight ? FIRST_PAUSE * 2 ** (this.#repairs - AT_ONCE) : 0;
    const wait = Math.min(Math.max(pause, SHARE * (now - began)), LONGEST_PAUSE);
    this.#notBefore = Math.max(this.#notBefore, now + wait);
    return this.#notBefore - now;
  }

  /** How many in a row had to be repaired. */
  get repairs(): number {
    return this.#repairs;
  }

  /** Somebody takes away what is put back. */
  get isFight(): boolean {
    return this.#repairs >= AT_ONCE;
  }
}
