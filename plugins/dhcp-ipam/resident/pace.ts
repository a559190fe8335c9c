/**
 * Doing something for a name at most once in a while, and not forgetting it: a container that takes its interface down
 * and up all day must not make all the others ask their servers each time.
 */
import type { Alarm, Reactor } from '../../../lib/system/reactor.ts';

export class Pace {
  readonly #reactor: Pick<Reactor, 'at' | 'now'>;
  readonly #milliseconds: number;
  readonly #act: (name: string) => void;
  /** Until when each has to wait, and who waits. */
  readonly #until = new Map<string, { readonly alarm: Alarm; again: boolean }>();

  /** `milliseconds`: between two times. */
  constructor(reactor: Pick<Reactor, 'at' | 'now'>, milliseconds: number, act: (name: string) => void) {
    this.#reactor = reactor;
    this.#milliseconds = milliseconds;
    this.#act = act;
  }

  /** At once, or as soon as it may be. */
  ask(name: string): void {
    const waiting = this.#until.get(name);
    if (waiting !== undefined) {
      waiting.again = true;
      return;
    }
    const alarm = this.#reactor.at(this.#reactor.now() + this.#milliseconds, () => {
      const again = this.#until.get(name)?.again;
      this.#until.delete(name);
      if (again) this.ask(name);
    });
    this.#until.set(name, { alarm, again: false });
    this.#act(name);
  }

  close(): void {
    for (const { alarm } of this.#until.values()) alarm.cancel();
    this.#until.clear();
  }
}
