/**
 * The DHCPv4 client (RFC 2131, section 4.4, figure 5): what each state does with each event. States and their data are
 * in data.ts, the ways into them in enter.ts, their handlers in asking.ts and resting.ts.
 *
 * INIT has no delay before the first DISCOVER: the 1 to 10 seconds of section 4.4.1 are for hosts that a power failure
 * starts all at once, and a container's user waits.
 */
import type { Machine, Step } from '../machine.ts';
import type { Lease4 } from '../lease.ts';
import { rebooting, renewing, requesting, selecting } from './asking.ts';
import { heldLease, hostOf } from './data.ts';
import type { Data4 } from './data.ts';
import { FRESH, enterChecking, enterRebooting, enterSelecting } from './enter.ts';
import type { Move, Turn } from './enter.ts';
import { stay } from './handler.ts';
import type { Event4, Handler, Handlers } from './handler.ts';
import { timeOf } from './lease-times.ts';
import type { Message4 } from './message.ts';
import { bound, checking, init, released } from './resting.ts';
import type { Wish4 } from './wish.ts';

const TABLE: { readonly [Name in Data4['state']]: Handlers<Extract<Data4, { state: Name }>> } = {
  INIT: init,
  SELECTING: selecting,
  REQUESTING: requesting,
  CHECKING: checking,
  BOUND: bound,
  RENEWING: renewing,
  REBINDING: renewing,
  REBOOTING: rebooting,
  RELEASED: released,
};

function wakeAt(data: Data4): number | undefined {
  if (data.state === 'INIT') return data.until;
  if (data.state === 'BOUND') return data.renewAt;
  if (!('exchange' in data)) return undefined;
  const lease = heldLease(data);
  return Math.min(data.exchange.next, lease ? timeOf(lease, lease.validFor) : Number.POSITIVE_INFINITY);
}

type Step4 = Step<Data4, Message4, Lease4>;

function stepOf({ data, actions }: Move): Step4 {
  return { data, actions, wakeAt: wakeAt(data) };
}

function react(turn: Turn, data: Data4, event: Event4): Move {
  const handler = TABLE[data.state][event.is] as Handler<Data4, Event4['is']> | undefined;
  const due = wakeAt(data);
  if (handler === undefined || (event.is === 'time' && due === undefined))
    throw new TypeError(`the event ${event.is} cannot come in ${data.state}`);
  // A timer may be early.
  if (event.is === 'time' && turn.chance.now < (due ?? 0)) return stay(turn, data);
  return handler(turn, data, event);
}

export const client4: Machine<Wish4, Data4, Message4, Lease4> = {
  begin(wish, chance, remembered) {
    const turn = { wish, chance };
    const { preferredAddress: prefer } = wish;
    const address = remembered && hostOf(remembered);
    if (address !== undefined && (prefer ?? address) === address)
      return stepOf(enterRebooting(turn, address));
    return stepOf(enterSelecting(turn, prefer === undefined ? FRESH : { ...FRESH, prefer }));
  },
  resume(wish, data, chance) {
    const turn = { wish, chance };
    const due = wakeAt(data);
    if (data.state === 'CHECKING') return stepOf(enterChecking(data.lease));
    return stepOf(
      due !== undefined && chance.now >= due ? react(turn, data, { is: 'time' }) : stay(turn, data),
    );
  },
  step: (wish, data, event, chance) => stepOf(react({ wish, chance }, data, event)),
  leaseOf: heldLease,
  stateOf: ({ state }) => state,
};
