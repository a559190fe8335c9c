/**
 * Whether the driver's own bookkeeping, the stretches of `run` and what was released lately, agrees with the addresses
 * held.
 */
import type { Address } from '../../../lib/base/ip.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import type { Span } from '../../span.ts';
import { formatSpan } from '../../span.ts';
import type { Connection } from './connection.ts';
import { addressOf } from './key.ts';
import type { Row } from './row.ts';
import { bytes, text } from './row.ts';

interface Scoped {
  readonly scope: string;
  readonly address: Address;
}

interface Run {
  readonly scope: string;
  readonly span: Span;
}

interface Books {
  readonly addresses: readonly Scoped[];
  /** Free, but just released. */
  readonly released: readonly Scoped[];
  readonly runs: readonly Run[];
}

function scoped(row: Row): Scoped {
  return { scope: text(row, 'scope'), address: addressOf(bytes(row, 'address')) };
}

function readBooks(db: Connection): Books {
  return {
    addresses: db.all('SELECT scope, address FROM address').map(scoped),
    released: db.all('SELECT scope, address FROM released').map(scoped),
    runs: db.all('SELECT scope, first, last FROM run').map((row) => ({
      scope: text(row, 'scope'),
      span: { first: addressOf(bytes(row, 'first')), last: addressOf(bytes(row, 'last')) },
    })),
  };
}

/** Maximal stretches of the taken and the just released addresses, made anew from the addresses themselves. */
function expectedRuns(books: Books): Run[] {
  const runs: Run[] = [];
  const all = [...books.addresses, ...books.released];
  const rank = (a: string | bigint, b: string | bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  all.sort(
    (a, b) =>
      rank(a.scope, b.scope) || a.address.family - b.address.family || rank(a.address.value, b.address.value),
  );
  for (const { scope, address } of all) {
    const open = runs.at(-1);
    const last = open?.span.last;
    const touches = last !== undefined && last.family === address.family && last.value + 1n === address.value;
    if (open !== undefined && open.scope === scope && touches) {
      runs[runs.length - 1] = { scope, span: { first: open.span.first, last: address } };
    } else {
      runs.push({ scope, span: { first: address, last: address } });
    }
  }
  return runs;
}

function checkRuns(books: Books): string[] {
  const text = (runs: readonly Run[]): Set<string> =>
    new Set(runs.map(({ scope, span }) => `${formatSpan(span)} in ${scope}`));
  const expected = text(expectedRuns(books));
  const stored = text(books.runs);
  return [
    ...[...expected]
      .filter((run) => !stored.has(run))
      .map((run) => `addresses ${run} are not marked as in use`),
    ...[...stored]
      .filter((run) => !expected.has(run))
      .map((run) => `the stretch ${run} is marked taken, but is not`),
  ];
}

/** Each difference in words; [] when there are none. */
export function checkBookkeeping(db: Connection): string[] {
  const books = readBooks(db);
  const place = ({ scope, address }: Scoped): string => `${formatAddress(address)} in ${scope}`;
  const held = new Set(books.addresses.map(place));
  const both = books.released.map(place).filter((text) => held.has(text));
  return [...both.map((text) => `${text} is both held and released`), ...checkRuns(books)];
}
