/**
 * The next address of a set, round robin from the cursor. Just-released addresses are left alone while others are free:
 * neighbours may still hold the old owner's link-layer address (RFC 4861 7.3.3), peers their connections. Pure.
 */
import type { Address } from '../lib/base/ip.ts';
import type { AddressView } from './ledger.ts';
import type { Range } from './pool.ts';
import type { Choice, RangeSet } from './range-set.ts';
import { rangeHolding } from './range-set.ts';
import type { Span } from './span.ts';
import { clip, spanContains } from './span.ts';

interface Stretch {
  readonly range: Range;
  readonly span: Span;
}

function freeOf(range: Range, window?: Span): Stretch[] {
  const spans = window ? range.free.flatMap((span) => clip(span, window) ?? []) : range.free;
  return spans.map((span) => ({ range, span }));
}

/** The set's free spans in the order round robin visits them: after the cursor to the end, then round to the cursor. */
function roundFrom(set: RangeSet, cursor: Address | undefined): Stretch[] {
  const current = cursor && rangeHolding(set, cursor);
  if (cursor === undefined || current === undefined) return set.flatMap((range) => freeOf(range));
  const after: Address = { family: cursor.family, value: cursor.value + 1n };
  const ahead = cursor.value < current.end.value ? freeOf(current, { first: after, last: current.end }) : [];
  const index = set.indexOf(current);
  const others = [...set.slice(index + 1), ...set.slice(0, index)].flatMap((range) => freeOf(range));
  return [...ahead, ...others, ...freeOf(current, { first: current.start, last: cursor })];
}

/** An address out of what is free, else the one released longest ago; undefined when the set is exhausted. */
export function chooseNext(
  ledger: AddressView,
  scope: string,
  set: RangeSet,
  cursor: Address | undefined,
): Choice | undefined {
  const round = roundFrom(set, cursor);
  for (const { range, span } of round) {
    const address = ledger.nextFree(scope, span.first, span.last);
    if (address !== undefined) return { range, address };
  }
  for (const address of ledger.recentlyReleased(scope)) {
    const home = round.find(({ span }) => spanContains(span, address));
    if (home !== undefined) return { range: home.range, address };
  }
  return undefined;
}
