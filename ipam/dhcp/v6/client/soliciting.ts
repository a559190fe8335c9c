/** Looking for a server, and choosing one (RFC 9915, sections 18.2.1 and 18.2.9). */
import { SUCCESS, statusName } from '../options/status-code.ts';
import type { Offer, Soliciting } from './data.ts';
import { bind, hold, keptOf, request, transmit } from './enter.ts';
import { associationsOf, grantsIn, liveParts } from './grants.ts';
import type { Grant } from './grants.ts';
import { settle } from './settle.ts';
import { note, stepTo } from './step.ts';
import type { Around, Incoming, Step6 } from './step.ts';
import type { Wish6 } from './wish.ts';

/** The preference of a server that is to be taken at once. */
const AT_ONCE = 255;

function offerOf({ message, from }: Incoming, server: string, grants: readonly Grant[]): Offer {
  const parts = (kind: Grant['kind']) =>
    grants
      .filter((grant) => grant.kind === kind)
      .flatMap((grant) => liveParts(grant).map(({ text }) => ({ text, iaid: grant.iaid })));
  return {
    server,
    serverAddress: from.address,
    preference: message.options.preference ?? 0,
    addresses: parts('IA_NA').map(({ text }) => text),
    prefixes: parts('IA_PD').map(({ text, iaid }) => ({ prefix: text, iaid })),
  };
}

/** How many of the associations it serves. */
function served({ addresses, prefixes }: Offer): number {
  return (addresses.length > 0 ? 1 : 0) + new Set(prefixes.map(({ iaid }) => iaid)).size;
}

/** By what has not failed before, preference, and how much is granted; the first of equals. */
function better(one: Offer | undefined, other: Offer, shunned: string | undefined): Offer {
  if (one === undefined) return other;
  const rank = (offer: Offer) => [Number(offer.server !== shunned), offer.preference, served(offer)];
  const [mine, theirs] = [rank(one), rank(other)];
  const differs = mine.findIndex((each, index) => each !== theirs[index]);
  return differs >= 0 && (theirs[differs] ?? 0) > (mine[differs] ?? 0) ? other : one;
}

/**
 * Whether to go for this offer without waiting for others. Section 18.2.1 demands to collect for the first timeout
 * unless the preference is 255; who is not patient also takes one that grants all at once, since a network with two
 * servers of different preference is rare, and a container waits.
 */
function atOnce(wish: Wish6, data: Soliciting, offer: Offer): boolean {
  if (data.exchange.tries > 1) return true;
  if (offer.server === data.shunned) return false;
  return offer.preference === AT_ONCE || (!wish.patient && served(offer) >= associationsOf(wish));
}

function advertised(around: Around, data: Soliciting, incoming: Incoming, server: string): Step6 {
  const { status } = incoming.message.options;
  const offer = offerOf(incoming, server, grantsIn(around.wish, incoming.message));
  if (served(offer) === 0 || (status?.code ?? SUCCESS) !== SUCCESS)
    return stepTo(data, note(`${server} offers nothing${status ? `: ${statusName(status.code)}` : ''}`));
  const best = better(data.offer, offer, data.shunned);
  if (atOnce(around.wish, data, best)) return request(around, keptOf(data), best);
  return stepTo({ ...data, offer: best });
}

/** Without the four-message exchange (section 18.2.10): only where both sides want that. */
function committed(around: Around, data: Soliciting, { message, from }: Incoming, server: string): Step6 {
  const { status, rapidCommit } = message.options;
  const grants = grantsIn(around.wish, message);
  const since = data.exchange.sent;
  const answer = { message, server, serverAddress: from.address, since, grants, anew: true };
  const lease = settle(undefined, answer);
  const unasked = !around.wish.rapidCommit || rapidCommit === undefined;
  if (unasked || lease === undefined || (status?.code ?? SUCCESS) !== SUCCESS) return stepTo(data);
  return bind(keptOf(data), lease, hold(lease));
}

export function solicitAnswered(around: Around, data: Soliciting, incoming: Incoming, server: string): Step6 {
  const answered = incoming.message.type === 'ADVERTISE' ? advertised : committed;
  return answered(around, data, incoming, server);
}

/** The time to collect is over, or nobody has answered yet. */
export function solicitDue(around: Around, data: Soliciting): Step6 {
  return data.offer ? request(around, keptOf(data), data.offer) : transmit(around, data);
}
