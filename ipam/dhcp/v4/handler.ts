/** What a state does with an event, and what several states do alike. */
import type { Event } from '../machine.ts';
import type { Lease4 } from '../lease.ts';
import type { Answer } from './answer.ts';
import { heldLease, hostOf } from './data.ts';
import type { Data4 } from './data.ts';
import { enterDeclined, enterInit, enterSelecting, first, lose, note } from './enter.ts';
import type { Move, Turn } from './enter.ts';
import type { Message4 } from './message.ts';
import { MESSAGE, soundOption } from './options/known.ts';
import { newXid, refusedDelay } from './retry.ts';
import { release } from './requests.ts';

export type Event4 = Event<Message4>;
export type Handler<State, Kind extends Event4['is']> = (
  turn: Turn,
  data: State,
  event: Extract<Event4, { is: Kind }>,
) => Move;
/** Events without a handler cannot come. */
export type Handlers<State> = { readonly [Kind in Event4['is']]?: Handler<State, Kind> };

export function stay(_turn: Turn, data: Data4): Move {
  return { data, actions: [] };
}

function refusal({ message, server }: Answer): string {
  const text = soundOption(message.options, MESSAGE);
  return `${server} refuses${text === undefined ? '' : `: ${text}`}`;
}

export function refused(turn: Turn, answer: Answer, refusals: number): Move {
  const wait = refusedDelay(refusals);
  const move = wait > 0 ? enterInit(turn, wait, refusals) : enterSelecting(turn, { refusals });
  return first([note(refusal(answer))], move);
}

export function loseRefused(turn: Turn, answer: Answer): Move {
  return first([note(refusal(answer))], lose(turn, 'refused', { refusals: 1 }));
}

export function end({ wish, chance }: Turn, lease?: Lease4): Move {
  const data: Data4 = { state: 'RELEASED' };
  if (lease === undefined) return { data, actions: [{ do: 'end' }] };
  const message = release(wish, newXid(chance), lease);
  const { server } = lease;
  return { data, actions: [{ do: 'send', message, to: server, from: hostOf(lease) }, { do: 'end' }] };
}

export function duplicate<State extends Data4>(
  turn: Turn,
  data: State,
  { address }: { address: string },
): Move {
  const lease = heldLease(data);
  if (lease === undefined || hostOf(lease) !== hostOf({ address })) return stay(turn, data);
  return first([{ do: 'lose', why: 'duplicate' }], enterDeclined(turn, lease));
}
