/**
 * The client of DHCPv6 (RFC 9915, section 18.2) as a table: what each state does about each event. Whatever is sent
 * goes to all servers on the link; an answer counts only from the server that was asked.
 */
import type { Lease6 } from '../lease.ts';
import type { Chance, Machine } from '../machine.ts';
import { confirmAnswered, confirmDue, doubt } from './client/confirming.ts';
import type { Data6, HeldLease, State } from './client/data.ts';
import { leaseIn } from './client/data.ts';
import { decline, declined } from './client/declining.ts';
import { confirm, desync, inform, keptOf, solicit, transmit } from './client/enter.ts';
import { DEFAULT_LIMITS, isExhausted } from './client/exchange.ts';
import { expire } from './client/expiry.ts';
import { informed } from './client/informing.ts';
import { hasPassed } from './client/lifetimes.ts';
import { answererOf, limitsAfter } from './client/meant.ts';
import { prolongAnswered, prolongDue, renew } from './client/prolonging.ts';
import { release, released } from './client/releasing.ts';
import { requestAnswered, requestFailed } from './client/requesting.ts';
import { solicitAnswered, solicitDue } from './client/soliciting.ts';
import { stepTo } from './client/step.ts';
import type { Around, Event6, Incoming, Step6 } from './client/step.ts';
import { remembering } from './client/remembered.ts';
import { wakeOf } from './client/wake.ts';
import type { Wish6 } from './client/wish.ts';
import type { Message6 } from './message.ts';

export type { Data6 } from './client/data.ts';
export type { Wish6 } from './client/wish.ts';

type In<S extends State> = Extract<Data6, { readonly state: S }>;

/** What a state does; an event that it has nothing for cannot come. */
interface Row<D> {
  /** An answer to what was asked, from a server that was asked. */
  readonly answer?: (around: Around, data: D, incoming: Incoming, server: string) => Step6;
  /** Time to ask again, or a deadline; nothing has expired. */
  readonly time?: (around: Around, data: D) => Step6;
  readonly duplicate?: (around: Around, data: D, address: string) => Step6;
  readonly uncertain?: (around: Around, data: D) => Step6;
  readonly release?: (around: Around, data: D) => Step6;
}

const same = (_: Around, data: Data6): Step6 => stepTo(data);

/** What states have in common that use a lease. */
const USING = {
  uncertain: (around: Around, data: Data6 & { readonly lease: HeldLease }): Step6 =>
    doubt(around, data, data.lease),
  duplicate: (around: Around, data: Data6 & { readonly lease: HeldLease }, address: string): Step6 =>
    decline(around, data, data.lease, address),
  release,
};

function informAgain(around: Around, data: In<'INFORMED' | 'INFORMING'>, delay: number): Step6 {
  return inform(around, keptOf(data), data.lease, delay);
}

const TABLE: { readonly [S in State]: Row<In<S>> } = {
  SOLICITING: { answer: solicitAnswered, time: solicitDue, uncertain: same, release },
  REQUESTING: {
    answer: requestAnswered,
    time: (around, data) =>
      isExhausted(data) ? requestFailed(around, data, 'no answer') : transmit(around, data),
    uncertain: (around, data) =>
      data.lease ? doubt(around, data, data.lease) : solicit(around, keptOf(data)),
    duplicate: (around, data, address) =>
      data.lease ? decline(around, data, data.lease, address) : refuse(data, 'duplicate'),
    release,
  },
  BOUND: { ...USING, time: renew },
  RENEWING: { ...USING, answer: prolongAnswered, time: prolongDue },
  REBINDING: { ...USING, answer: prolongAnswered, time: prolongDue },
  CONFIRMING: {
    answer: confirmAnswered,
    time: confirmDue,
    uncertain: (around, data) => {
      const { lease, used } = data;
      return confirm(around, keptOf(data), { lease, used, delay: desync(around) });
    },
    duplicate: (around, data, address) =>
      data.used ? decline(around, data, data.lease, address) : refuse(data, 'duplicate'),
    release,
  },
  DECLINING: {
    answer: declined,
    time: (around, data) => (isExhausted(data) ? declined(around, data) : transmit(around, data)),
    uncertain: (around, data) => (data.lease ? doubt(around, data, data.lease) : stepTo(data)),
    duplicate: (around, data, address) =>
      data.lease ? decline(around, data, data.lease, address) : refuse(data, 'duplicate'),
    release,
  },
  RELEASING: {
    answer: (_, data) => released(data),
    time: (around, data) => (isExhausted(data) ? released(data) : transmit(around, data)),
    uncertain: same,
    release: same,
  },
  RELEASED: {},
  INFORMING: {
    answer: (_, data, incoming, server) => informed(data, incoming, server),
    time: transmit,
    uncertain: (around, data) => informAgain(around, data, desync(around)),
    release,
  },
  INFORMED: {
    time: (around, data) => informAgain(around, data, 0),
    uncertain: (around, data) => informAgain(around, data, desync(around)),
    release,
  },
};

function refuse(data: Data6, event: Event6['is']): never {
  throw new TypeError(`'${event}' cannot come in ${data.state}`);
}

function received(around: Around, data: Data6, row: Row<Data6>, incoming: Incoming): Step6 {
  const server = answererOf(around.wish, data, incoming.message);
  if (server === undefined || row.answer === undefined) return stepTo(data);
  const limits = limitsAfter(data.limits, incoming.message);
  return row.answer(around, { ...data, limits }, incoming, server);
}

/** Early wakes change nothing. */
function timePassed(around: Around, data: Data6, row: Row<Data6>): Step6 {
  if (row.time === undefined) return refuse(data, 'time');
  const expired = expire(around, data);
  if (expired) return expired;
  return hasPassed(wakeOf(data), around.chance.now) ? row.time(around, data) : stepTo(data);
}

function step(wish: Wish6, data: Data6, event: Event6, chance: Chance): Step6 {
  const around = { wish, chance };
  const row = TABLE[data.state] as Row<Data6>;
  switch (event.is) {
    case 'message':
      return received(around, data, row, event);
    case 'time':
      return timePassed(around, data, row);
    case 'duplicate':
      return row.duplicate ? row.duplicate(around, data, event.address) : refuse(data, event.is);
    case 'uncertain':
      return row.uncertain ? row.uncertain(around, data) : refuse(data, event.is);
    case 'release':
      return row.release ? row.release(around, data) : refuse(data, event.is);
    case 'checked':
      return refuse(data, event.is);
  }
}

function begin(wish: Wish6, chance: Chance, remembered?: Lease6): Step6 {
  const around = { wish, chance };
  const kept = { limits: DEFAULT_LIMITS, setbacks: 0 };
  const delay = wish.patient ? desync(around) : 0;
  if (wish.stateless) return inform(around, kept, undefined, delay);
  const { lease, hints } = remembering(wish, remembered, chance.now);
  return lease ? confirm(around, kept, { lease, used: false, delay }) : solicit(around, kept, { hints });
}

export const client6: Machine<Wish6, Data6, Message6, Lease6> = {
  begin,
  resume: (wish, data, chance) => expire({ wish, chance }, data) ?? stepTo(data),
  step,
  leaseOf: leaseIn,
  stateOf: ({ state }) => state,
};
