/** What a client sends in each of its states (RFC 9915, section 18.2). */
import type { Message6, MessageType, Options6 } from '../message.ts';
import type { AskingData, HeldLease } from './data.ts';
import { elapsed } from './exchange.ts';
import { delegationsOf, duidOf } from './wish.ts';
import type { Wish6 } from './wish.ts';
import { FQDN_S } from '../options/client-fqdn.ts';

const INFORMATION_REFRESH_TIME = 32;
const SOL_MAX_RT = 82;
const INF_MAX_RT = 83;

interface Wanted {
  readonly addresses: readonly string[];
  readonly prefixes: readonly { readonly prefix: string; readonly iaid: number }[];
}

type Inside = Pick<Options6, 'iaNa' | 'iaPd'>;

/** Lifetimes in questions say nothing. */
const NO_TIMES = { preferred: 0, valid: 0, options: {} };

function addressesIn(iaid: number, addresses: readonly string[]): NonNullable<Options6['iaNa']> {
  const options = { addresses: addresses.map((address) => ({ address, ...NO_TIMES })) };
  return [{ iaid, t1: 0, t2: 0, options }];
}

function prefixesIn(iaid: number, prefixes: readonly string[]): NonNullable<Options6['iaPd']>[number] {
  return { iaid, t1: 0, t2: 0, options: { prefixes: prefixes.map((prefix) => ({ prefix, ...NO_TIMES })) } };
}

/** All that is wished for, with what is to be in it: associations that have nothing yet ask for something. */
function associations(wish: Wish6, { addresses, prefixes }: Wanted): Inside {
  const iaPd = delegationsOf(wish).map(({ iaid, hint }) => {
    const own = prefixes.filter((each) => each.iaid === iaid).map(({ prefix }) => prefix);
    return prefixesIn(iaid, own.length === 0 && hint !== undefined ? [hint] : own);
  });
  return {
    ...(wish.addresses && { iaNa: addressesIn(wish.iaid, addresses) }),
    ...(iaPd.length > 0 && { iaPd }),
  };
}

/** Only what is leased, of which a server is told something. */
function leased(wish: Wish6, { addresses, prefixes }: Wanted): Inside {
  const iaids = [...new Set(prefixes.map(({ iaid }) => iaid))];
  const iaPd = iaids.map((iaid) =>
    prefixesIn(
      iaid,
      prefixes.filter((each) => each.iaid === iaid).map(({ prefix }) => prefix),
    ),
  );
  return {
    ...(addresses.length > 0 && { iaNa: addressesIn(wish.iaid, addresses) }),
    ...(iaPd.length > 0 && { iaPd }),
  };
}

function wantedOf({ addresses, prefixes }: HeldLease): Wanted {
  return { addresses: addresses.map(({ address }) => address), prefixes };
}

/** What a client says and asks for besides addresses. */
function aside(wish: Wish6, asked: readonly number[]): Options6 {
  const { fqdn, provide } = wish;
  const others = Object.entries(provide).map(([code, data]) => ({ code: Number(code), data }));
  const named = !wish.stateless && fqdn !== undefined;
  return {
    optionRequest: [...new Set([...wish.request, ...asked])],
    ...(named && { clientFqdn: { flags: FQDN_S, name: fqdn } }),
    ...(others.length > 0 && { others }),
  };
}

interface Question {
  readonly type: MessageType;
  readonly options: Options6;
}

type In<S extends AskingData['state']> = Extract<AskingData, { readonly state: S }>;

/** What is asked of whoever has the bindings, or of one server. */
function prolonging(type: MessageType, wish: Wish6, lease: HeldLease, serverId?: string): Question {
  const inside = { ...associations(wish, wantedOf(lease)), ...aside(wish, [SOL_MAX_RT]) };
  return { type, options: { ...(serverId !== undefined && { serverId }), ...inside } };
}

function renewing(wish: Wish6, { state, lease }: In<'RENEWING' | 'REBINDING'>): Question {
  return state === 'RENEWING'
    ? prolonging('RENEW', wish, lease, lease.server)
    : prolonging('REBIND', wish, lease);
}

const QUESTIONS: { readonly [S in AskingData['state']]: (wish: Wish6, data: In<S>) => Question } = {
  SOLICITING: (wish, { hints }) => {
    const inside = associations(wish, { addresses: hints, prefixes: [] });
    const rapid = wish.rapidCommit && { rapidCommit: true as const };
    return { type: 'SOLICIT', options: { ...inside, ...rapid, ...aside(wish, [SOL_MAX_RT]) } };
  },
  REQUESTING: (wish, { offer }) => ({
    type: 'REQUEST',
    options: { serverId: offer.server, ...associations(wish, offer), ...aside(wish, [SOL_MAX_RT]) },
  }),
  RENEWING: renewing,
  REBINDING: renewing,
  CONFIRMING: (wish, { by, lease }) =>
    by === 'REBIND'
      ? prolonging('REBIND', wish, lease)
      : { type: 'CONFIRM', options: leased(wish, wantedOf(lease)) },
  DECLINING: (wish, { server: serverId, declined: addresses }) => ({
    type: 'DECLINE',
    options: { serverId, ...leased(wish, { addresses, prefixes: [] }) },
  }),
  RELEASING: (wish, { lease }) => ({
    type: 'RELEASE',
    options: { serverId: lease.server, ...leased(wish, wantedOf(lease)) },
  }),
  INFORMING: (wish) => ({
    type: 'INFORMATION-REQUEST',
    options: aside(wish, [INFORMATION_REFRESH_TIME, INF_MAX_RT]),
  }),
};

/** To be sent at `now`; the transaction and the time elapsed are those of the exchange. */
export function question(wish: Wish6, data: AskingData, now: number): Message6 {
  const ask = QUESTIONS[data.state] as (wish: Wish6, data: AskingData) => Question;
  const { type, options } = ask(wish, data);
  return {
    type,
    transaction: data.exchange.transaction,
    options: { clientId: duidOf(wish), elapsedTime: elapsed(data.exchange, now), ...options },
  };
}
