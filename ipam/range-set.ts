/** A set of ranges as one pool: which range an address belongs to, and how messages name the set. Pure. */
import type { Address } from '../lib/base/ip.ts';
import { prefixContains } from '../lib/base/ip.ts';
import type { Range } from './pool.ts';
import { formatSpan, spanContains } from './span.ts';

export type RangeSet = readonly Range[];

export interface Choice {
  readonly range: Range;
  readonly address: Address;
}

/** "10.1.0.1-10.1.0.254, 10.2.0.1-10.2.0.99" */
export function describeSet(set: RangeSet): string {
  return set.map((range) => formatSpan({ first: range.start, last: range.end })).join(', ');
}

export function rangeHolding(set: RangeSet, address: Address): Range | undefined {
  return set.find((range) => spanContains({ first: range.start, last: range.end }, address));
}

/**
 * The range a reserved address belongs to: one that holds it, else one whose subnet does (outside rangeStart-rangeEnd).
 */
export function rangeForReserved(set: RangeSet, address: Address): Range | undefined {
  return rangeHolding(set, address) ?? set.find((range) => prefixContains(range.subnet, address));
}
