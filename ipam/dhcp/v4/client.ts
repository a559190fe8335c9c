/**
 * The DHCPv4 client (RFC 2131, section 4.4, figure 5): what each state does with each event. States and their data are
 * in data.ts, the ways into them in enter.ts.
 *
 * INIT has no delay before the first DISCOVER: the 1 to 10 seconds of section 4.4.1 are for hosts that a power failure
 * starts all at once, and a container's user waits.
 */
import type { Event, Machine, Sender, Step } from '../machine.ts';
import type { Lease4 } from '../lease.ts';
import { answerIn } from './answer.ts';
import type { Answer } from './answer.ts';
import { heldLease, hostOf } from './data.ts';
import type { Bound, Checking, Data4, Init, Rebooting, Renewing, Requesting, Selecting } from './data.ts';
import {
  FRESH,
  acknowledge,
  broadcast,
  byTheClock,
  enterBound,
  enterChecking,
  enterDeclined,
  enterInit,
  enterRebooting,
  enterRequesting,
  enterSelecting,
  first,
  lose,
  note,
  select,
  tagOf,
} from './enter.ts';
import type { Move, Turn } from './enter.ts';
import { timeOf } from './lease-times.ts';
import type { Message4 } from './message.ts';
import { MESSAGE, RAPID_COMMIT, soundOption } from './options/known.ts';
import { newXid, refusedDelay, repeated } from './retry.ts';
import { release, requestAgain, requestOffered } from './requests.ts';
import type { Wish4 } from './wish.ts';

type Event4 = Event<Message4>;
type Handler<State, Kind extends Event4['is']> = (
  turn: Turn,
  data: State,
  event: Extract<Event4, { is: Kind }>,
) => Move;
/** Events without a handler cannot come. */
type Handlers<State> = { readonly [Kind in Event4['is']]?: Handler<State, Kind> };

/** RFC 2131, section 3.1, number 5: four REQUESTs in a minute. */
const REQUESTS = 4;
/** A client that has nothing to lose asks for a new address after the first one, in the hope for the old. */
const REQUESTS_REMEMBERED = 1;

function stay(_turn: Turn, data: Data4): Move {
  return { data, actions: [] };
}

function refusal({ message, server }: Answer): string {
  const text = soundOption(message.options, MESSAGE);
  return `${server} refuses${text === undefined ? '' : `: ${text}`}`;
}

function refused(turn: Turn, answer: Answer, refusals: number): Move {
  const wait = refusedDelay(refusals);
  const move = wait > 0 ? enterInit(turn, wait, refusals) : enterSelecting(turn, { refusals });
  return first([note(refusal(answer))], move);
}

function loseRefused(turn: Turn, answer: Answer): Move {
  return first([note(refusal(answer))], lose(turn, 'refused', { refusals: 1 }));
}

function end({ wish, chance }: Turn, lease?: Lease4): Move {
  const data: Data4 = { state: 'RELEASED' };
  if (lease === undefined) return { data, actions: [{ do: 'end' }] };
  const message = release(wish, newXid(chance), lease);
  const { server } = lease;
  return { data, actions: [{ do: 'send', message, to: server, from: hostOf(lease) }, { do: 'end' }] };
}

/** What a message means to an exchange, as an answer that counts; everything else changes nothing. */
function whenAnswered<State extends Data4 & { exchange: { xid: number } }>(
  react: (turn: Turn, data: State, answer: Answer, from: Sender) => Move | undefined,
): Handler<State, 'message'> {
  return (turn, data, { message, from }) => {
    const answer = answerIn(message, turn.wish, data.exchange.xid);
    return (answer && react(turn, data, answer, from)) ?? stay(turn, data);
  };
}

/** Not one that its server can have forgotten already. */
function acknowledged(
  turn: Turn,
  answer: Answer,
  from: Sender,
  data: Extract<Data4, { exchange: object }>,
): Move {
  const move = acknowledge(turn, answer, from, data.exchange, heldLease(data));
  const { lease } = move.data as Bound | Checking;
  return turn.chance.now < timeOf(lease, lease.validFor) ? move : stay(turn, data);
}

const init: Handlers<Init> = {
  message: stay,
  time: (turn, { refusals }) => enterSelecting(turn, { refusals }),
  uncertain: stay,
  release: (turn) => end(turn),
};

const selecting: Handlers<Selecting> = {
  message: whenAnswered((turn, data, answer, from) => {
    const { type, server, message } = answer;
    if (type === 'offer') {
      const offer = { server, address: message.yiaddr };
      return first([note(`${server} offers ${offer.address}`)], enterRequesting(turn, data, offer));
    }
    const rapid = turn.wish.rapidCommit && soundOption(message.options, RAPID_COMMIT);
    return type === 'ack' && rapid ? acknowledged(turn, answer, from, data) : undefined;
  }),
  time: (turn, data) => select(turn, repeated(data.exchange, turn.chance), data),
  uncertain: enterSelecting,
  release: (turn) => end(turn),
};

const requesting: Handlers<Requesting> = {
  message: whenAnswered((turn, data, answer, from) => {
    const { type, server, message } = answer;
    if (server !== data.offer.server) return undefined;
    if (type === 'nak') return refused(turn, answer, data.refusals + 1);
    if (type !== 'ack' || message.yiaddr !== data.offer.address) return undefined;
    return acknowledged(turn, answer, from, data);
  }),
  time(turn, data) {
    const { offer, secs, refusals } = data;
    if (data.exchange.repeats + 1 >= REQUESTS) return enterSelecting(turn, { refusals });
    const exchange = repeated(data.exchange, turn.chance);
    const message = requestOffered(turn.wish, { xid: exchange.xid, secs }, offer);
    return { data: { ...data, exchange }, actions: [broadcast(message)] };
  },
  uncertain: (turn, { refusals, offer }) => enterSelecting(turn, { refusals, prefer: offer.address }),
  release: (turn) => end(turn),
};

const checking: Handlers<Checking> = {
  message: stay,
  checked(turn, { lease }, { taken }) {
    if (taken.includes(hostOf(lease))) return enterDeclined(turn, lease);
    if (turn.chance.now >= timeOf(lease, lease.validFor))
      return enterSelecting(turn, { ...FRESH, prefer: hostOf(lease) });
    return enterBound(turn, lease);
  },
  // The answer to the check is still to come, and comes from the link as it is now.
  uncertain: stay,
  release: (turn, { lease }) => end(turn, lease),
};

function duplicate<State extends Data4>(turn: Turn, data: State, { address }: { address: string }): Move {
  const lease = heldLease(data);
  if (lease === undefined || hostOf(lease) !== hostOf({ address })) return stay(turn, data);
  return first([{ do: 'lose', why: 'duplicate' }], enterDeclined(turn, lease));
}

const bound: Handlers<Bound> = {
  message: stay,
  time: (turn, { lease, renewAt }) => byTheClock(turn, lease, renewAt ?? Number.POSITIVE_INFINITY),
  duplicate,
  uncertain: (turn, { lease }) => enterRebooting(turn, hostOf(lease), lease),
  release: (turn, { lease }) => end(turn, lease),
};

/** Only the server that was asked; but in REBINDING that is every server. */
const renewing: Handlers<Renewing> = {
  message: whenAnswered((turn, data, answer, from) => {
    if (data.state === 'RENEWING' && answer.server !== data.lease.server) return undefined;
    if (answer.type === 'nak') return loseRefused(turn, answer);
    return answer.type === 'ack' ? acknowledged(turn, answer, from, data) : undefined;
  }),
  time: (turn, data) => byTheClock(turn, data.lease, Number.NEGATIVE_INFINITY, data),
  duplicate,
  uncertain: (turn, { lease }) => enterRebooting(turn, hostOf(lease), lease),
  release: (turn, { lease }) => end(turn, lease),
};

/** Nobody answers (RFC 2131, section 3.2, number 4): a lease that is still valid may be used. */
function unanswered(turn: Turn, { lease, address }: Rebooting): Move {
  if (lease === undefined) return enterSelecting(turn, { ...FRESH, prefer: address });
  return byTheClock(turn, lease, timeOf(lease, lease.renewAfter));
}

const rebooting: Handlers<Rebooting> = {
  message: whenAnswered((turn, data, answer, from) => {
    if (answer.type === 'ack') return acknowledged(turn, answer, from, data);
    if (answer.type !== 'nak') return undefined;
    return data.lease === undefined ? refused(turn, answer, 1) : loseRefused(turn, answer);
  }),
  time(turn, data) {
    const { lease } = data;
    const limit = lease === undefined ? REQUESTS_REMEMBERED : REQUESTS;
    const expired = lease !== undefined && turn.chance.now >= timeOf(lease, lease.validFor);
    if (expired || data.exchange.repeats + 1 >= limit) return unanswered(turn, data);
    const exchange = repeated(data.exchange, turn.chance);
    const message = requestAgain(turn.wish, tagOf(exchange), data.address);
    return { data: { ...data, exchange }, actions: [broadcast(message)] };
  },
  duplicate,
  uncertain: (turn, { address, lease }) => enterRebooting(turn, address, lease),
  release: (turn, { lease }) => end(turn, lease),
};

/** Late answers, to requests and to checks. */
const released: Handlers<Data4> = { message: stay, checked: stay };

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
