/** Closed intervals of addresses, the arithmetic pools are made of. Pure. */
import type { Address } from '../lib/base/ip.ts';
import { formatAddress } from '../lib/base/ip.ts';

/** From `first` to `last`, both included, both of one family, `first` not above `last`. */
export interface Span {
  readonly first: Address;
  readonly last: Address;
}

export function single(address: Address): Span {
  return { first: address, last: address };
}

export function spanContains(span: Span, address: Address): boolean {
  return (
    span.first.family === address.family &&
    span.first.value <= address.value &&
    address.value <= span.last.value
  );
}

export function spansOverlap(a: Span, b: Span): boolean {
  return a.first.family === b.first.family && a.first.value <= b.last.value && b.first.value <= a.last.value;
}

export function spanSize(span: Span): bigint {
  return span.last.value - span.first.value + 1n;
}

export function formatSpan(span: Span): string {
  return `${formatAddress(span.first)}-${formatAddress(span.last)}`;
}

/** The part of `span` inside `window`, if any. */
export function clip(span: Span, window: Span): Span | undefined {
  if (!spansOverlap(span, window)) return undefined;
  return {
    first: span.first.value > window.first.value ? span.first : window.first,
    last: span.last.value < window.last.value ? span.last : window.last,
  };
}

/** What is left of `span` without the holes: disjoint, ascending. */
export function subtract(span: Span, holes: readonly Span[]): Span[] {
  const { family } = span.first;
  const inside = holes.filter((hole) => spansOverlap(hole, span));
  inside.sort((a, b) => (a.first.value < b.first.value ? -1 : a.first.value > b.first.value ? 1 : 0));
  const left: Span[] = [];
  let from = span.first.value;
  for (const hole of inside) {
    if (hole.first.value > from) {
      left.push({ first: { family, value: from }, last: { family, value: hole.first.value - 1n } });
    }
    if (hole.last.value >= from) from = hole.last.value + 1n;
  }
  if (from <= span.last.value) left.push({ first: { family, value: from }, last: span.last });
  return left;
}
