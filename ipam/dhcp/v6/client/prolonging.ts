/** Renewing at the server that leased, then at any (RFC 9915, sections 18.2.4, 18.2.5 and 18.2.10.1). */
import { NO_BINDING, SUCCESS, statusName } from '../options/status-code.ts';
import type { Bound, Confirming, HeldLease, Offer, Prolonging } from './data.ts';
import { ask, bind, hold, keptOf, lose, request, solicitAnew, transmit } from './enter.ts';
import { grantsIn } from './grants.ts';
import { dueAt, hasPassed } from './lifetimes.ts';
import { settle } from './settle.ts';
import { after, note, stepTo } from './step.ts';
import type { Around, Incoming, Step6 } from './step.ts';

/** T1 has come, or T2 as well; what was leased has been of use. */
export function renew(around: Around, data: Bound | Prolonging): Step6 {
  const { lease } = data;
  const late = hasPassed(dueAt(lease, lease.rebindAfter), around.chance.now);
  return ask(around, { state: late ? 'REBINDING' : 'RENEWING', lease, ...keptOf(data), setbacks: 0 });
}

/** T2 has come, or it is time to ask again. */
export function prolongDue(around: Around, data: Prolonging): Step6 {
  const { lease, state } = data;
  const late = hasPassed(dueAt(lease, lease.rebindAfter), around.chance.now);
  return state === 'RENEWING' && late ? renew(around, data) : transmit(around, data);
}

/** What to ask a server for that knows nothing of it: the same again. */
function offerOf({ addresses, prefixes }: HeldLease, server: string, serverAddress: string): Offer {
  return {
    server,
    serverAddress,
    preference: 0,
    addresses: addresses.map(({ address }) => address),
    prefixes: prefixes.map(({ prefix, iaid }) => ({ prefix, iaid })),
  };
}

/** A REPLY to a RENEW or REBIND. */
export function prolongAnswered(
  around: Around,
  data: Prolonging | Confirming,
  { message, from }: Incoming,
  server: string,
): Step6 {
  const grants = grantsIn(around.wish, message);
  const whole = message.options.status?.code ?? SUCCESS;
  const unbound = whole === NO_BINDING || grants.some(({ status }) => status === NO_BINDING);
  const useful = whole === SUCCESS && grants.some(({ parts }) => parts.length > 0);
  // Not an answer that helps: another server may, or the same one later (section 18.2.10.1).
  if (!useful && !unbound) return stepTo(data, note(`${server} prolongs nothing: ${statusName(whole)}`));
  const used = data.state !== 'CONFIRMING' || data.used;
  const answer = {
    message,
    server,
    serverAddress: from.address,
    since: data.exchange.sent,
    grants,
    anew: false,
  };
  const lease = useful ? settle(data.lease, answer) : data.lease;
  if (lease === undefined) return after(used ? [lose('refused')] : [], solicitAnew(around, data));
  const held = useful ? [hold(lease)] : [];
  if (!unbound) return bind(keptOf(data), lease, ...held);
  const offer = offerOf(lease, server, from.address);
  return after(held, request(around, keptOf(data), offer, used || useful ? lease : undefined));
}
