/** How long a lease lasts, and when to prolong it (RFC 2131, section 4.4.5). */
import type { Times } from '../lease.ts';
import { soonestRenewal } from '../shortest.ts';
import { LEASE_TIME, REBINDING_TIME, RENEWAL_TIME, soundOption } from './options/known.ts';
import type { Options } from './options/known.ts';

const FOR_EVER = 0xffffffff;
/** Where a server says nothing, though it must: what the reference's plugin takes. */
const DEFAULT_SECONDS = 3600;
const RENEW = 0.5;
const REBIND = 0.875;

/** Seconds. */
export function leaseSeconds(options: Options): number {
  return soundOption(options, LEASE_TIME) ?? DEFAULT_SECONDS;
}

/**
 * T1 before T2 before the end: times told that are not so, or too short, do not count. `since`: milliseconds since
 * boot.
 */
export function leaseTimes(options: Options, since: number): Times {
  const validFor = leaseSeconds(options);
  if (validFor === FOR_EVER) return { since };
  const soonest = soonestRenewal(validFor);
  const t2 = soundOption(options, REBINDING_TIME) ?? 0;
  const rebindAfter = t2 > soonest && t2 < validFor ? t2 : validFor * REBIND;
  const t1 = soundOption(options, RENEWAL_TIME) ?? 0;
  const usual = Math.min(validFor * RENEW, (rebindAfter * RENEW) / REBIND);
  return { since, renewAfter: t1 >= soonest && t1 < rebindAfter ? t1 : usual, rebindAfter, validFor };
}

/** Milliseconds since boot; Infinity: never. */
export function timeOf({ since }: Times, seconds: number | undefined): number {
  return seconds === undefined ? Number.POSITIVE_INFINITY : since + seconds * 1000;
}
