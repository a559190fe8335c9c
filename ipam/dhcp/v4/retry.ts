/** When to send again. Milliseconds. */
import type { Chance } from '../machine.ts';
import type { Lease4 } from '../lease.ts';
import type { Exchange } from './data.ts';
import { timeOf } from './lease-times.ts';

/** RFC 2131, section 4.1: 4 seconds, twice as long each time, 64 at most; plus or minus one. */
const FIRST_MS = 4000;
const LONGEST_MS = 64_000;
const JITTER_MS = 1000;
/** RFC 2131, section 4.4.5. */
const RENEW_MS = 60_000;
/** Of leases that are too short for that. */
const RENEW_PART = 1 / 16;
const RENEW_SHORTEST_MS = 1000;
/** RFC 2131, section 4.4.5, wants T1 fuzzy, so that those who began together do not go on together. */
const FUZZ = 0.02;
const REFUSED_LONGEST_MS = 64_000;

export function newXid({ random }: Chance): number {
  return Math.floor(random() * 2 ** 32);
}

function delay(repeats: number, { random }: Chance): number {
  return Math.min(FIRST_MS * 2 ** repeats, LONGEST_MS) + (2 * random() - 1) * JITTER_MS;
}

export function beginExchange(chance: Chance): Exchange {
  const { now } = chance;
  return { xid: newXid(chance), began: now, sent: now, repeats: 0, next: now + delay(0, chance) };
}

/** The next message, which begins to count anew: a REQUEST for an offer has the DISCOVER's xid. */
export function goOn({ xid }: Exchange, chance: Chance): Exchange {
  return { ...beginExchange(chance), xid };
}

export function repeated(exchange: Exchange, chance: Chance): Exchange {
  const repeats = Math.min(exchange.repeats + 1, 1000);
  return { ...exchange, sent: chance.now, repeats, next: chance.now + delay(repeats, chance) };
}

/**
 * One message of RENEWING or REBINDING, where the next one comes after half of what is left until `until`. Each has an
 * xid of its own, since minutes lie between them: the time of the lease counts from the one that was answered.
 */
export function prolonging(lease: Lease4, until: number, began: number, chance: Chance): Exchange {
  const { now } = chance;
  const shortest = Math.max(RENEW_SHORTEST_MS, (lease.validFor ?? 0) * 1000 * RENEW_PART);
  const wait = Math.max((until - now) / 2, Math.min(RENEW_MS, shortest));
  return { xid: newXid(chance), began, sent: now, repeats: 0, next: Math.min(now + wait, until) };
}

/** Somewhat before T1. */
export function renewTime(lease: Lease4, { random }: Chance): number {
  return timeOf(lease, lease.renewAfter === undefined ? undefined : lease.renewAfter * (1 - FUZZ * random()));
}

/** Before asking again after so many NAKs in a row: at once after the first one, as RFC 2131 has it. */
export function refusedDelay(refusals: number): number {
  return refusals < 2 ? 0 : Math.min(1000 * 2 ** (refusals - 1), REFUSED_LONGEST_MS);
}
