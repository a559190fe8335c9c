/** When the parts of a lease have to be renewed, and when they end. */
import type { LeasedAddress6, LeasedPrefix6, Times } from '../../lease.ts';
import { soonestRenewal } from '../../shortest.ts';
import type { HeldLease } from './data.ts';
import { SECOND } from './exchange.ts';

export const INFINITY = 0xffffffff;

/** Seconds as the wire has them; undefined: for ever. */
export function seconds(onWire: number): number | undefined {
  return onWire === INFINITY ? undefined : onWire;
}

type Part = LeasedAddress6 | LeasedPrefix6;

export function partsOf({ addresses, prefixes }: HeldLease): readonly Part[] {
  return [...addresses, ...prefixes];
}

/** Milliseconds since boot; undefined: never. */
export function dueAt({ since }: Times, after: number | undefined): number | undefined {
  return after === undefined ? undefined : since + after * SECOND;
}

export function hasPassed(at: number | undefined, now: number): boolean {
  return at !== undefined && at <= now;
}

/** When the first part of it ends. */
export function firstEnd(lease: HeldLease): number | undefined {
  const ends = partsOf(lease).flatMap(({ validFor }) => dueAt(lease, validFor) ?? []);
  return ends.length > 0 ? Math.min(...ends) : undefined;
}

/** Of the whole: the longest of its parts. */
export function validity(parts: readonly Part[]): Pick<Times, 'validFor'> {
  const all = parts.map(({ validFor }) => validFor ?? Number.POSITIVE_INFINITY);
  const validFor = Math.max(0, ...all);
  return Number.isFinite(validFor) ? { validFor } : {};
}

/** A lease without those parts that `stays` refuses; undefined when nothing is left. */
export function reduced(lease: HeldLease, stays: (part: Part) => boolean): HeldLease | undefined {
  const addresses = lease.addresses.filter(stays);
  const prefixes = lease.prefixes.filter(stays);
  if (addresses.length + prefixes.length === 0) return undefined;
  const { validFor: _old, ...rest } = lease;
  return { ...rest, addresses, prefixes, ...validity([...addresses, ...prefixes]) };
}

/** What of it is valid still. A lease from the future is of another boot: nothing is. */
export function stillValid(lease: HeldLease, now: number): HeldLease | undefined {
  if (lease.since > now) return undefined;
  const end = firstEnd(lease);
  if (end === undefined || end > now) return lease;
  return reduced(lease, ({ validFor }) => !hasPassed(dueAt(lease, validFor), now));
}

/** The same part, its times counted from later on; not before zero. */
export function rebased<P extends Part>(part: P, from: number, to: number): P {
  const passed = Math.floor((to - from) / SECOND);
  const left = (time: number): number => Math.max(0, time - passed);
  return {
    ...part,
    ...(part.preferredFor !== undefined && { preferredFor: left(part.preferredFor) }),
    ...(part.validFor !== undefined && { validFor: left(part.validFor) }),
  };
}

export interface Terms {
  /** Seconds as the wire has them: 0: the client may choose. */
  readonly t1: number;
  readonly t2: number;
  readonly parts: readonly Part[];
}

/** The shortest preferred lifetime that is any; undefined when all are for ever. */
function shortest(parts: readonly Part[]): number | undefined {
  const preferred = parts.flatMap(({ preferredFor }) => preferredFor ?? []).filter((time) => time > 0);
  if (preferred.length > 0) return Math.min(...preferred);
  if (parts.some(({ preferredFor }) => preferredFor === undefined)) return undefined;
  const valid = parts.flatMap(({ validFor }) => validFor ?? []);
  return valid.length > 0 ? Math.min(...valid) : undefined;
}

/** Section 21.4: half and four fifths where the server leaves it to the client. */
const OWN_T1 = 0.5;
const OWN_T2 = 0.8;

/**
 * T1 and T2 of one association. A server that wants to be asked only after the addresses ended, or all the time, has
 * left it to the client as well.
 */
export function termsOf({ t1, t2, parts }: Terms): { renewAfter: number; rebindAfter: number } {
  const base = shortest(parts) ?? Number.POSITIVE_INFINITY;
  const ends = Math.min(...parts.map(({ validFor }) => validFor ?? Number.POSITIVE_INFINITY));
  // Lifetimes that only shrink would halve the times for ever.
  const soonest = soonestRenewal(Number.isFinite(ends) ? ends : undefined);
  const given = (time: number): number => (time === INFINITY ? Number.POSITIVE_INFINITY : time);
  const late = t1 !== INFINITY && t1 >= ends;
  const isOwn1 = t1 < soonest || late;
  const isOwn2 = t2 < soonest || late;
  const renewAfter = isOwn1 ? Math.max(soonest, OWN_T1 * base) : given(t1);
  const rebindAfter = isOwn2 ? Math.max(soonest, OWN_T2 * base) : given(t2);
  if (isOwn1 && !isOwn2) return { renewAfter: Math.min(renewAfter, rebindAfter), rebindAfter };
  return { renewAfter, rebindAfter: Math.max(renewAfter, rebindAfter) };
}
