/** What must be there after a storm: for every key the outcome of its last operation, where that is certain. */

import type { CniJson } from '../kernel/harness-cni.ts';

export interface Key {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/**
 * `ips` as ADD answered them. Cut: on record still, without its interface, which is for CHECK to say. Unknown after
 * what was killed, refused half-way, or met another operation on the same key.
 */
export type Fact =
  | { readonly is: 'attached'; readonly result: CniJson; readonly ips: readonly string[] }
  | { readonly is: 'absent' }
  | { readonly is: 'cut' }
  | { readonly is: 'unknown' };

export const ABSENT: Fact = { is: 'absent' };
export const CUT: Fact = { is: 'cut' };
export const UNKNOWN: Fact = { is: 'unknown' };

/** An operation on a key that has begun; `alone` until another one does. */
export interface Turn {
  readonly name: string;
  readonly before: Fact;
  alone: boolean;
}

export function nameOf({ network, containerId, ifname }: Key): string {
  return `${network}/${containerId}/${ifname}`;
}

export class Model {
  readonly #facts = new Map<string, Fact>();
  readonly #turns = new Map<string, Set<Turn>>();

  fact(key: Key): Fact {
    return this.#facts.get(nameOf(key)) ?? ABSENT;
  }

  begin(key: Key): Turn {
    const name = nameOf(key);
    const others = this.#turns.get(name) ?? new Set();
    const turn: Turn = { name, before: this.fact(key), alone: others.size === 0 };
    for (const other of others) other.alone = false;
    this.#turns.set(name, others.add(turn));
    return turn;
  }

  /** `fact` is what follows if nothing came between. */
  end(turn: Turn, fact: Fact): void {
    this.#turns.get(turn.name)?.delete(turn);
    this.#facts.set(turn.name, turn.alone ? fact : UNKNOWN);
  }

  /** For one that changes nothing. */
  leave(turn: Turn): void {
    this.#turns.get(turn.name)?.delete(turn);
  }
}
