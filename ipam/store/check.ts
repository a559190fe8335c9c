/**
 * The store's invariants, one function for CHECK, GC, doctor and the tests: records are valid, and what is claimed is exactly
 * what the records say. Differences come in words, [] when there are none.
 */
import { AddressError, formatAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { AttachmentKey, AttachmentRecord } from '../record.ts';
import { formatKey } from '../record.ts';
import type { Span } from '../span.ts';
import { formatSpan } from '../span.ts';
import { claimOf, formatClaim } from './ports.ts';
import type { StoreContents, StoreReader } from './store.ts';
import { attachmentErrors, networkErrors } from './validate.ts';

interface Claims {
  /** What the records say is held, each with its attachment. */
  readonly addresses: Map<string, string>;
  readonly ports: Map<string, string>;
}

function isAttachment(record: unknown, errors: readonly string[]): record is AttachmentRecord {
  return record !== null && errors.length === 0;
}

function checkKey(key: AttachmentKey, record: AttachmentRecord): string[] {
  const inside = formatKey(record);
  return inside === formatKey(key) ? [] : [`the record filed under ${formatKey(key)} says it is ${inside}`];
}

function gather(record: AttachmentRecord, claims: Claims): string[] {
  const name = formatKey(record);
  const differences: string[] = [];
  const note = (claimed: Map<string, string>, what: string): void => {
    const other = claimed.get(what);
    if (other !== undefined) differences.push(`${what} is in the records of both ${other} and ${name}`);
    claimed.set(what, name);
  };
  try {
    for (const { scope, address } of record.addresses) {
      if (scope !== undefined)
        note(claims.addresses, `${formatAddress(parsePrefix(address).address)} in ${scope}`);
    }
    for (const port of record.ports) note(claims.ports, formatClaim(claimOf(port)));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    differences.push(`the record of ${name}: ${error.message}`);
  }
  return differences;
}

/** What the records say is held against what the tables say is. */
function compare(
  kind: string,
  recorded: Map<string, string>,
  claimed: Map<string, string | undefined>,
): string[] {
  const differences: string[] = [];
  for (const [what, owner] of claimed) {
    if (owner === undefined) differences.push(`${kind} ${what} is held by an attachment that does not exist`);
    else if (recorded.get(what) !== owner)
      differences.push(`${kind} ${what} is held by ${owner}, whose record has it not`);
  }
  for (const [what, owner] of recorded) {
    if (!claimed.has(what)) differences.push(`${kind} ${what} is in the record of ${owner}, but not claimed`);
  }
  return differences;
}

/** Maximal stretches of the taken and the just released addresses, made anew from the addresses themselves. */
function expectedRuns(contents: StoreContents): { scope: string; span: Span }[] {
  const runs: { scope: string; span: Span }[] = [];
  const all = [...contents.addresses, ...contents.released];
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

function checkRuns(contents: StoreContents): string[] {
  const text = (runs: StoreContents['runs']): Set<string> =>
    new Set(runs.map(({ scope, span }) => `${formatSpan(span)} in ${scope}`));
  const expected = text(expectedRuns(contents));
  const stored = text(contents.runs);
  return [
    ...[...expected]
      .filter((run) => !stored.has(run))
      .map((run) => `addresses ${run} are not marked as in use`),
    ...[...stored]
      .filter((run) => !expected.has(run))
      .map((run) => `the stretch ${run} is marked taken, but is not`),
  ];
}

/** Compares the store with itself; "10.1.0.9 in home is held by an attachment that does not exist" and the like. */
export function checkContents(contents: StoreContents): string[] {
  const claims: Claims = { addresses: new Map(), ports: new Map() };
  const differences: string[] = [];
  for (const { key, record } of contents.attachments) {
    const errors = attachmentErrors(record);
    differences.push(...errors.map((error) => `the record of ${formatKey(key)}: ${error}`));
    if (isAttachment(record, errors)) differences.push(...checkKey(key, record), ...gather(record, claims));
  }
  for (const { name, record } of contents.networks) {
    differences.push(...networkErrors(record).map((error) => `the record of network ${name}: ${error}`));
  }
  const owner = (key: AttachmentKey | undefined): string | undefined => key && formatKey(key);
  const addresses = new Map(
    contents.addresses.map((row) => [`${formatAddress(row.address)} in ${row.scope}`, owner(row.owner)]),
  );
  const ports = new Map(contents.ports.map((row) => [formatClaim(row.claim), owner(row.owner)]));
  differences.push(...compare('address', claims.addresses, addresses), ...compare('', claims.ports, ports));
  const held = contents.released.filter(({ scope, address }) =>
    addresses.has(`${formatAddress(address)} in ${scope}`),
  );
  differences.push(
    ...held.map(({ scope, address }) => `${formatAddress(address)} in ${scope} is both held and released`),
  );
  return [...differences.map((text) => text.trim()), ...checkRuns(contents)];
}

/** `store.read(checkStore)` */
export function checkStore(reader: StoreReader): string[] {
  return checkContents(reader.contents());
}
