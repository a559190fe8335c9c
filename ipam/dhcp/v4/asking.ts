/** The states of a DHCPv4 client in which an answer may come. */
import type { Sender } from '../machine.ts';
import { answerIn } from './answer.ts';
import type { Answer } from './answer.ts';
import { heldLease, hostOf } from './data.ts';
import type { Bound, Checking, Data4, Rebooting, Renewing, Requesting, Selecting } from './data.ts';
import {
  FRESH,
  acknowledge,
  broadcast,
  byTheClock,
  enterRebooting,
  enterRequesting,
  enterSelecting,
  first,
  note,
  select,
  tagOf,
} from './enter.ts';
import type { Move, Turn } from './enter.ts';
import { duplicate, end, loseRefused, refused, stay } from './handler.ts';
import type { Handler, Handlers } from './handler.ts';
import { timeOf } from './lease-times.ts';
import { RAPID_COMMIT, soundOption } from './options/known.ts';
import { requestAgain, requestOffered } from './requests.ts';
import { repeated } from './retry.ts';

type Asking = Extract<Data4, { exchange: object }>;

/** RFC 2131, section 3.1, number 5: four REQUESTs in a minute. */
const REQUESTS = 4;
/** A client that has nothing to lose asks for a new address after the first one, in the hope for the old. */
const REQUESTS_REMEMBERED = 1;

/** What a message means to an exchange, as an answer that counts; everything else changes nothing. */
function whenAnswered<State extends Data4 & { exchange: { xid: number } }>(
  react: (turn: Turn, data: State, answer: Answer, from: Sender) => Move | undefined,
): Handler<State, 'message'> {
  return (turn, data, { message, from }) => {
    const answer = answerIn(message, turn.wish, data.exchange.xid);
    return (answer && react(turn, data, answer, from)) ?? stay(turn, data);
  };
}

/**
 * A lease counts from the first message that the ACK may be an answer to, so that it never lasts longer here than with
 * its server. One that is over by then is of no use.
 */
function acknowledged(turn: Turn, answer: Answer, from: Sender, data: Asking): Move {
  const { began, sent } = data.exchange;
  const isProlonged = data.state === 'RENEWING' || data.state === 'REBINDING';
  const move = acknowledge(turn, answer, from, isProlonged ? sent : began, heldLease(data));
  const { lease } = move.data as Bound | Checking;
  if (turn.chance.now < timeOf(lease, lease.validFor)) return move;
  return data.state === 'REQUESTING' || data.state === 'SELECTING'
    ? enterSelecting(turn, data)
    : stay(turn, data);
}

export const selecting: Handlers<Selecting> = {
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

export const requesting: Handlers<Requesting> = {
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

/** Only the server that was asked; but in REBINDING that is every server. */
export const renewing: Handlers<Renewing> = {
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

export const rebooting: Handlers<Rebooting> = {
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
