/** What is to be held, as shares of others' medians: design.md, section 5. */
import type { Goal } from './figures.ts';
import type { Goals, Verb } from './lives.ts';

const oneShot = (most: number): Goal => ({ who: 'one-shot', over: 'reference', most });
const engine = (most: number): Goal => ({ who: 'engine', over: 'reference', most });
const beyondFloor = (most: number): Goal => ({ who: 'engine', over: 'floor', most });

/** VERSION of a one-shot executable has no goal: it costs a start of the runtime inside. */
export const VERSION: readonly Goal[] = [engine(1)];

/** Full chain; one container, or beside one. */
export const ONE: Goals = {
  ADD: [oneShot(0.6), engine(0.1), beyondFloor(2)],
  DEL: [oneShot(0.3), engine(0.12)],
};

/** netmoor's bridge comes and goes with it, the reference's stays. */
export const WITH_BRIDGE: Goals = { DEL: [oneShot(0.4), engine(0.2)] };

/** Full chain, beside 1,000. */
export const THOUSAND: Goals = { ADD: [engine(0.02)], DEL: [engine(0.1)] };

export const AT_ONCE: Goals = { ADD: [oneShot(0.4), engine(0.08)] };

export const DHCP_ADD: readonly Goal[] = [oneShot(0.5)];

/** What the hook adds to a run of runc. */
export const HOOK: readonly Goal[] = [engine(0.3)];

/** A verb beside many over the same beside one; whoever of netmoor does it. */
export const GROWTH: Readonly<Record<Verb, number>> = { ADD: 1.1, CHECK: 1.2, DEL: 1.2 };
