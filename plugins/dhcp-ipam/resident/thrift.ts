/** So many lines a minute: what neighbours on a LAN make a client note must not fill the host's log. Pure. */

const MOST = 20;
const MINUTE_MS = 60_000;

const MORE = 'more of it is not logged for a minute';

export class Thrift {
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** What is to be logged of it, if anything. `now`: milliseconds. */
  pass(text: string, now: number): string | undefined {
    if (now - this.#since >= MINUTE_MS) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count > MOST) return this.#count === MOST + 1 ? MORE : undefined;
    return text;
  }
}
