/** How a DHCPv4 client comes into each of its states, and what it does on the way. */
import type { Action, Chance, LossCause, Sender } from '../machine.ts';
import type { Lease4 } from '../lease.ts';
import type { Answer } from './answer.ts';
import { hostOf } from './data.ts';
import type { Data4, Exchange, Offer, Quest, Renewing, Selecting } from './data.ts';
import { leaseFrom } from './lease-from.ts';
import { timeOf } from './lease-times.ts';
import type { Message4 } from './message.ts';
import { beginExchange, goOn, newXid, prolonging, renewTime } from './retry.ts';
import { decline, discover, requestAgain, requestMore, requestOffered } from './requests.ts';
import type { Tag } from './requests.ts';
import type { Wish4 } from './wish.ts';

export type Action4 = Action<Message4, Lease4>;

/** What each step has at hand. */
export interface Turn {
  readonly wish: Wish4;
  readonly chance: Chance;
}

export interface Move {
  readonly data: Data4;
  readonly actions: readonly Action4[];
}

/** RFC 2131, section 3.1, number 5. */
const DECLINED_MS = 10_000;

export const FRESH: Quest = { refusals: 0 };

export function first(actions: readonly Action4[], move: Move): Move {
  return { data: move.data, actions: [...actions, ...move.actions] };
}

export function note(text: string): Action4 {
  return { do: 'note', text };
}

export function broadcast(message: Message4): Action4 {
  return { do: 'send', message, to: 'everyone' };
}

export function tagOf({ xid, began, sent }: Exchange): Tag {
  return { xid, secs: Math.floor((sent - began) / 1000) };
}

/** One more DISCOVER of this exchange. */
export function select({ wish }: Turn, exchange: Exchange, { prefer, refusals }: Quest): Move {
  const quest = prefer === undefined ? { refusals } : { prefer, refusals };
  return {
    data: { state: 'SELECTING', exchange, ...quest },
    actions: [broadcast(discover(wish, tagOf(exchange), prefer))],
  };
}

export function enterSelecting(turn: Turn, quest: Quest): Move {
  return select(turn, beginExchange(turn.chance), quest);
}

export function enterInit({ chance }: Turn, wait: number, refusals: number): Move {
  return { data: { state: 'INIT', until: chance.now + wait, refusals }, actions: [] };
}

export function enterRequesting(turn: Turn, { exchange, refusals }: Selecting, offer: Offer): Move {
  const { secs } = tagOf(exchange);
  const next = goOn(exchange, turn.chance);
  return {
    data: { state: 'REQUESTING', exchange: next, offer, secs, refusals },
    actions: [broadcast(requestOffered(turn.wish, { xid: next.xid, secs }, offer))],
  };
}

/** `lease`: what is held meanwhile. */
export function enterRebooting(turn: Turn, address: string, lease?: Lease4): Move {
  const exchange = beginExchange(turn.chance);
  return {
    data: { state: 'REBOOTING', exchange, address, ...(lease && { lease }) },
    actions: [broadcast(requestAgain(turn.wish, tagOf(exchange), address))],
  };
}

function bound(lease: Lease4, renewAt: number): Data4 {
  return Number.isFinite(renewAt) ? { state: 'BOUND', lease, renewAt } : { state: 'BOUND', lease };
}

export function enterBound({ chance }: Turn, lease: Lease4): Move {
  return { data: bound(lease, renewTime(lease, chance)), actions: [{ do: 'hold', lease }] };
}

export function enterChecking(lease: Lease4): Move {
  return { data: { state: 'CHECKING', lease }, actions: [{ do: 'check', addresses: [hostOf(lease)] }] };
}

/**
 * `held`: what the client had so far; an address that it already has needs no check. `since`: when that was sent which
 * is answered.
 */
export function acknowledge(turn: Turn, answer: Answer, from: Sender, since: number, held?: Lease4): Move {
  const lease = leaseFrom(answer.message, answer.server, from, since);
  if (held !== undefined && hostOf(held) === hostOf(lease)) return enterBound(turn, lease);
  const move = turn.wish.checkAddress ? enterChecking(lease) : enterBound(turn, lease);
  return held === undefined ? move : first([{ do: 'lose', why: 'moved' }], move);
}

/** Asks the server for more time. `began`: when it was asked first. */
export function enterRenewing(turn: Turn, lease: Lease4, began: number): Move {
  const exchange = prolonging(lease, timeOf(lease, lease.rebindAfter), began, turn.chance);
  const message = requestMore(turn.wish, tagOf(exchange), lease);
  return {
    data: { state: 'RENEWING', lease, exchange },
    actions: [{ do: 'send', message, to: lease.server, from: hostOf(lease) }],
  };
}

/** Asks any server for more time. */
export function enterRebinding(turn: Turn, lease: Lease4, began: number): Move {
  const exchange = prolonging(lease, timeOf(lease, lease.validFor), began, turn.chance);
  const message = requestMore(turn.wish, tagOf(exchange), lease);
  return {
    data: { state: 'REBINDING', lease, exchange },
    actions: [{ do: 'send', message, to: 'everyone', from: hostOf(lease) }],
  };
}

export function lose(turn: Turn, why: LossCause, quest: Quest): Move {
  return first([{ do: 'lose', why }], enterSelecting(turn, quest));
}

/** To where the clock says that a lease is. `asked`: since when its prolongation has been asked for. */
export function byTheClock(turn: Turn, lease: Lease4, renewAt: number, asked?: Renewing): Move {
  const { now } = turn.chance;
  const began = asked?.exchange.began ?? now;
  if (now >= timeOf(lease, lease.validFor)) return lose(turn, 'expired', { ...FRESH, prefer: hostOf(lease) });
  if (now >= timeOf(lease, lease.rebindAfter)) return enterRebinding(turn, lease, began);
  if (now >= renewAt) return enterRenewing(turn, lease, began);
  return { data: bound(lease, renewAt), actions: [] };
}

/** Tells the server that somebody else has its address, and begins anew after a while. */
export function enterDeclined(turn: Turn, lease: Lease4): Move {
  const message = decline(turn.wish, newXid(turn.chance), lease);
  const told = [note(`somebody else has ${hostOf(lease)}`), broadcast(message)];
  return first(told, enterInit(turn, DECLINED_MS, 0));
}
