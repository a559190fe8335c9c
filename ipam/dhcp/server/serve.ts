/**
 * What a DHCPv4 server answers to a client of its own link (RFC 2131, section 4.3), as a table of what the client is
 * doing. Pure: from the query and what is on record to the answer and to what must be on record before it is sent.
 *
 * The server speaks for its whole subnet: a client that asks for an address it cannot have is told so at once, also
 * when nothing is known of it (the host's memory of leases ends with the boot, a virtual machine's does not).
 */
import { parseAddress, parsePrefix, prefixContains, withoutLength } from '../../../lib/base/ip.ts';
import type { Binding, Bindings, Change } from './bindings.ts';
import { clientName } from './identity.ts';
import type { Answer, Granted, Query } from './query.ts';

/** How long an offered address is kept for the client. */
export const OFFER_MS = 60_000;
/** How long an address is handed to nobody after a client found it taken; not for ever, as anybody can say so. */
export const BARRED_MS = 600_000;

export interface Serving {
  /** The server's own address on the link, with prefix length: "10.1.0.1/24". */
  readonly address: string;
  readonly leaseSeconds: number;
}

export interface Outcome {
  readonly answer?: Answer;
  readonly change?: Change;
}

/** What the client is doing; 'elsewhere': it has chosen another server. */
export type Stage =
  | 'discovering'
  | 'selecting'
  | 'elsewhere'
  | 'rebooting'
  | 'renewing'
  | 'declining'
  | 'releasing'
  | 'informing';

interface Case {
  readonly query: Query;
  readonly client: string;
  readonly serving: Serving;
  readonly bindings: Bindings;
  readonly now: number;
}

const SILENCE: Outcome = {};

export function ownAddress({ address }: Serving): string {
  return withoutLength(address);
}

function isOnLink({ address }: Serving, other: string): boolean {
  return prefixContains(parsePrefix(address), parseAddress(other));
}

/** RFC 2131, section 4.3.2 and table 4; undefined for what no client sends. */
export function stageOf({ is, server, requested, ciaddr }: Query, serving: Serving): Stage | undefined {
  const toUs = server === undefined || server === ownAddress(serving);
  if (is === 'discover') return 'discovering';
  if (is === 'inform') return ciaddr === undefined ? undefined : 'informing';
  if (is === 'release') return toUs && ciaddr !== undefined ? 'releasing' : undefined;
  if (is === 'decline') return toUs && requested !== undefined ? 'declining' : undefined;
  if (!toUs) return 'elsewhere';
  if (ciaddr !== undefined) return 'renewing';
  if (requested === undefined) return undefined;
  return server === undefined ? 'rebooting' : 'selecting';
}

export function granted(seconds: number): Granted {
  return { seconds, renewAfter: Math.floor(seconds / 2), rebindAfter: Math.floor((seconds * 7) / 8) };
}

function acknowledge({ serving, now }: Case, address: string): Outcome {
  const { leaseSeconds } = serving;
  return {
    answer: { is: 'ack', address, granted: granted(leaseSeconds) },
    change: { is: 'hold', binding: { address, state: 'bound', until: now + leaseSeconds * 1000 } },
  };
}

function refuse(text: string): Outcome {
  return { answer: { is: 'nak', text } };
}

/** What it has, or is kept for it, as long as it can have it still: its network may have another pool by now. */
function heldBy({ bindings, client }: Case): Binding | undefined {
  const binding = bindings.of(client);
  return binding !== undefined && bindings.canHave(client, binding.address) ? binding : undefined;
}

/** A wish for an address elsewhere is none. */
function wishOf({ query, serving }: Case): string | undefined {
  const { requested } = query;
  return requested !== undefined && isOnLink(serving, requested) ? requested : undefined;
}

function discovering(it: Case): Outcome {
  const { bindings, client, now, serving, query } = it;
  const held = heldBy(it);
  const address = held?.address ?? bindings.choose(client, wishOf(it));
  if (address === undefined) return SILENCE;
  if (query.rapid) {
    const { answer, change } = acknowledge(it, address);
    return { ...(answer ? { answer: { ...answer, rapid: true } } : {}), ...(change ? { change } : {}) };
  }
  const answer: Answer = { is: 'offer', address, granted: granted(serving.leaseSeconds) };
  // A lease that runs is not cut short by a question.
  if (held?.state === 'bound' && held.until >= now + OFFER_MS) return { answer };
  const until = Math.max(now + OFFER_MS, held?.until ?? 0);
  const state = held?.state === 'bound' && held.until > now ? 'bound' : 'offered';
  return { answer, change: { is: 'hold', binding: { address, state, until } } };
}

/** Whatever it asks for, it has that or can have it, or hears that it cannot. */
function claiming(it: Case, address: string): Outcome {
  const { bindings, client, serving } = it;
  if (!isOnLink(serving, address)) return refuse('wrong network');
  const held = heldBy(it);
  if (held !== undefined && held.address !== address) return refuse('another address is kept for you');
  if (!bindings.canHave(client, address)) return refuse('address not available');
  return acknowledge(it, address);
}

/**
 * An offer that was not ours to keep any longer may have gone to somebody else; what another server offered is none.
 */
function selecting(it: Case): Outcome {
  return claiming(it, it.query.requested ?? '');
}

function elsewhere({ bindings, client }: Case): Outcome {
  return bindings.of(client)?.state === 'offered' ? { change: { is: 'drop' } } : SILENCE;
}

function declining({ query, bindings, client, now }: Case): Outcome {
  const { requested = '' } = query;
  if (bindings.of(client)?.address !== requested) return SILENCE;
  return { change: { is: 'bar', address: requested, until: now + BARRED_MS } };
}

function releasing({ query, bindings, client }: Case): Outcome {
  return bindings.of(client)?.address === query.ciaddr ? { change: { is: 'drop' } } : SILENCE;
}

/** It came by its address itself, and only wants to know the rest. */
function informing({ query, serving }: Case): Outcome {
  return isOnLink(serving, query.ciaddr ?? '') ? { answer: { is: 'ack' } } : SILENCE;
}

const STAGES: Readonly<Record<Stage, (it: Case) => Outcome>> = {
  discovering,
  selecting,
  elsewhere,
  rebooting: (it) => claiming(it, it.query.requested ?? ''),
  renewing: (it) => claiming(it, it.query.ciaddr ?? ''),
  declining,
  releasing,
  informing,
};

/**
 * `now`: milliseconds since boot; `client`: as whom it is on record. Nothing at all for what is not ours to answer.
 */
export function serve(
  serving: Serving,
  query: Query,
  bindings: Bindings,
  now: number,
  client = clientName(query),
): Outcome {
  const stage = query.relayed ? undefined : stageOf(query, serving);
  if (stage === undefined) return SILENCE;
  return STAGES[stage]({ query, client, serving, bindings, now });
}
