/** How often and how long is asked (RFC 9915, sections 7.6 and 15). */
import type { Chance } from '../../machine.ts';
import type { AskingData, Exchange, Limits } from './data.ts';

export const SECOND = 1000;

interface Timing {
  /** Seconds: the first timeout, and the longest (0: as long as it gets). */
  readonly irt: number;
  readonly mrt: number;
  /** The most transmissions; undefined: no end. */
  readonly mrc?: number;
}

/** SOL_MAX_RT and INF_MAX_RT, until a server says otherwise. */
export const DEFAULT_LIMITS: Limits = { solicit: 3600, inform: 3600 };
/** SOL_MAX_DELAY, CNF_MAX_DELAY and INF_MAX_DELAY. */
export const MOST_DELAY_S = 1;
/** CNF_MAX_RD: nobody who could know answers; the lease stays in use. */
export const CONFIRM_LIMIT_S = 10;

function timingOf(state: AskingData['state'], { solicit, inform }: Limits): Timing {
  const timings: Readonly<Record<AskingData['state'], Timing>> = {
    SOLICITING: { irt: 1, mrt: solicit },
    REQUESTING: { irt: 1, mrt: 30, mrc: 10 },
    CONFIRMING: { irt: 1, mrt: 4 },
    RENEWING: { irt: 10, mrt: 600 },
    REBINDING: { irt: 10, mrt: 600 },
    RELEASING: { irt: 1, mrt: 0, mrc: 4 },
    DECLINING: { irt: 1, mrt: 0, mrc: 4 },
    INFORMING: { irt: 1, mrt: inform },
  };
  return timings[state];
}

/** One that waits `delay` milliseconds before it is sent for the first time. */
export function newExchange({ now, random }: Chance, delay: number): Exchange {
  const transaction = Math.floor(random() * 2 ** 24);
  return { transaction, tries: 0, began: now, sent: now, timeout: 0, next: now + delay };
}

/** RAND: -0.1 to 0.1; before the second SOLICIT more than 0, so that nobody gives up early on a prompt server. */
function timeoutAfter(
  state: AskingData['state'],
  tries: number,
  timeout: number,
  timing: Timing,
  chance: Chance,
) {
  const above = state === 'SOLICITING' && tries === 0;
  const rand = above ? 0.001 + 0.099 * chance.random() : 0.2 * chance.random() - 0.1;
  const plain = tries === 0 ? timing.irt * SECOND : 2 * timeout;
  const longest = timing.mrt * SECOND;
  const once = tries === 0 ? plain * (1 + rand) : plain + rand * timeout;
  return longest > 0 && once > longest ? longest * (1 + rand) : once;
}

/** The same once more on its way. */
export function sentAgain({ state, limits, exchange }: AskingData, chance: Chance): Exchange {
  const { tries, timeout: last, began } = exchange;
  const { now } = chance;
  const timeout = Math.round(timeoutAfter(state, tries, last, timingOf(state, limits), chance));
  return {
    ...exchange,
    tries: tries + 1,
    began: tries === 0 ? now : began,
    sent: now,
    timeout,
    next: now + timeout,
  };
}

/** Whether it was sent as often as it may be. */
export function isExhausted({ state, limits, exchange }: AskingData): boolean {
  const { mrc } = timingOf(state, limits);
  return mrc !== undefined && exchange.tries >= mrc;
}

/** In hundredths of a second since it was sent first (section 21.9). */
export function elapsed({ began, tries }: Exchange, now: number): number {
  return tries === 0 ? 0 : Math.min(0xffff, Math.max(0, Math.floor((now - began) / 10)));
}
