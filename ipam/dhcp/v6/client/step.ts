/** One step of the machine: what its handlers are given, and give. */
import type { Lease6 } from '../../lease.ts';
import type { Action, Chance, Event, Sender, Step } from '../../machine.ts';
import type { Message6 } from '../message.ts';
import type { Data6 } from './data.ts';
import { wakeOf } from './wake.ts';
import type { Wish6 } from './wish.ts';

export type Action6 = Action<Message6, Lease6>;
export type Step6 = Step<Data6, Message6, Lease6>;
export type Event6 = Event<Message6>;

export interface Around {
  readonly wish: Wish6;
  readonly chance: Chance;
}

export interface Incoming {
  readonly message: Message6;
  readonly from: Sender;
}

export function stepTo(data: Data6, ...actions: readonly Action6[]): Step6 {
  return { data, actions, wakeAt: wakeOf(data) };
}

/** The same with something done before. */
export function after(actions: readonly Action6[], step: Step6): Step6 {
  return { ...step, actions: [...actions, ...step.actions] };
}

export function note(text: string): Action6 {
  return { do: 'note', text };
}
