/** How the states are entered. */
import type { LossCause } from '../../machine.ts';
import type { AskingData, Data6, HeldLease, Offer, Soliciting } from './data.ts';
import { MOST_DELAY_S, SECOND, newExchange, sentAgain } from './exchange.ts';
import { question } from './questions.ts';
import { stepTo } from './step.ts';
import type { Action6, Around, Step6 } from './step.ts';

type Kept = Pick<Data6, 'limits' | 'setbacks'>;

export function keptOf({ limits, setbacks }: Data6): Kept {
  return { limits, setbacks };
}

/** Sends what the state asks, for the first time or again. */
export function transmit<D extends AskingData>({ wish, chance }: Around, data: D): Step6 {
  const next = { ...data, exchange: sentAgain(data, chance) };
  return stepTo(next, { do: 'send', message: question(wish, next, chance.now), to: 'everyone' });
}

type WithoutExchange<D> = D extends AskingData ? Omit<D, 'exchange'> : never;

/** Begins to ask, after `delay` milliseconds. */
export function ask(around: Around, data: WithoutExchange<AskingData>, delay = 0): Step6 {
  const asking = { ...data, exchange: newExchange(around.chance, delay) } as AskingData;
  return delay === 0 ? transmit(around, asking) : stepTo(asking);
}

/** The random moment that keeps those apart who all start at once. */
export function desync({ chance }: Around): number {
  return chance.random() * MOST_DELAY_S * SECOND;
}

/** Seconds, doubled with each setback after the first. */
const MOST_SETBACK_DELAY_S = 300;

function setbackDelay({ chance }: Around, setbacks: number): number {
  if (setbacks < 2) return 0;
  return Math.min(MOST_SETBACK_DELAY_S, 2 ** (setbacks - 2)) * SECOND * (1 + 0.1 * chance.random());
}

type Beginning = Partial<Pick<Soliciting, 'hints' | 'shunned'>>;

/** Looks for servers. */
export function solicit(around: Around, kept: Kept, beginning: Beginning = {}): Step6 {
  const delay = Math.max(around.wish.patient ? desync(around) : 0, setbackDelay(around, kept.setbacks));
  return ask(around, { state: 'SOLICITING', hints: [], ...beginning, ...kept }, delay);
}

/** Looks for servers once more, since one did not keep its word or what it gave is of no use. */
export function solicitAnew(around: Around, data: Data6, beginning: Beginning = {}): Step6 {
  return solicit(around, { ...keptOf(data), setbacks: data.setbacks + 1 }, beginning);
}

export function request(around: Around, kept: Kept, offer: Offer, lease?: HeldLease): Step6 {
  return ask(around, { state: 'REQUESTING', offer, ...(lease && { lease }), ...kept });
}

/** Uses it. */
export function bind(kept: Kept, lease: HeldLease, ...actions: readonly Action6[]): Step6 {
  return stepTo({ state: 'BOUND', lease, ...kept }, ...actions);
}

export function hold(lease: HeldLease): Action6 {
  return { do: 'hold', lease };
}

export function lose(why: LossCause): Action6 {
  return { do: 'lose', why };
}

/**
 * Asks whether the lease is one of this link (RFC 9915, section 18.2.12). A CONFIRM is for addresses alone; with
 * prefixes a REBIND asks.
 */
export function confirm(
  around: Around,
  kept: Kept,
  confirming: { readonly lease: HeldLease; readonly used: boolean; readonly delay: number },
): Step6 {
  const { lease, used, delay } = confirming;
  const by = lease.prefixes.length > 0 ? 'REBIND' : 'CONFIRM';
  return ask(around, { state: 'CONFIRMING', by, lease, used, ...kept }, delay);
}

/** With what it has: an INFORMATION-REQUEST. */
export function inform(around: Around, kept: Kept, lease: HeldLease | undefined, delay: number): Step6 {
  return ask(around, { state: 'INFORMING', ...(lease && { lease }), ...kept }, delay);
}
