/**
 * The addresses of a scope that are not to be handed out, taken or just released, as maximal stretches: no two of them
 * touch or overlap. Finding a free address is then one descent of a B-tree: the one after a stretch is free by
 * construction.
 */
import type { Connection } from './connection.ts';
import type { Row } from './row.ts';
import { bytes } from './row.ts';
import { keyAfter, keyBefore, sameKey } from './key.ts';

export interface Run {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

function runOf(row: Row): Run {
  return { first: bytes(row, 'first'), last: bytes(row, 'last') };
}

/** The stretch that begins at or before the key, nearest to it. */
function runBefore(db: Connection, scope: string, key: Uint8Array): Run | undefined {
  const sql = 'SELECT first, last FROM run WHERE scope = ? AND first <= ? ORDER BY first DESC LIMIT 1';
  const row = db.get(sql, scope, key);
  return row && runOf(row);
}

/** The first key at or after this one that is in no stretch; undefined past the highest. */
export function firstFree(db: Connection, scope: string, key: Uint8Array): Uint8Array | undefined {
  const run = runBefore(db, scope, key);
  return run === undefined || Buffer.compare(run.last, key) < 0 ? key : keyAfter(run.last);
}

function insertRun(db: Connection, scope: string, run: Run): void {
  db.run('INSERT INTO run (scope, first, last) VALUES (?, ?, ?)', scope, run.first, run.last);
}

function deleteRun(db: Connection, scope: string, first: Uint8Array): void {
  db.run('DELETE FROM run WHERE scope = ? AND first = ?', scope, first);
}

function endRun(db: Connection, scope: string, first: Uint8Array, last: Uint8Array): void {
  db.run('UPDATE run SET last = ? WHERE scope = ? AND first = ?', last, scope, first);
}

/** Puts a key that is in no stretch into one, joining those on either side of it. */
export function joinRun(db: Connection, scope: string, key: Uint8Array): void {
  const before = runBefore(db, scope, key);
  const low = keyBefore(key);
  const high = keyAfter(key);
  const after = high && db.get('SELECT first, last FROM run WHERE scope = ? AND first = ?', scope, high);
  const last = after === undefined ? key : bytes(after, 'last');
  if (high !== undefined && after !== undefined) deleteRun(db, scope, high);
  if (before !== undefined && low !== undefined && sameKey(before.last, low))
    endRun(db, scope, before.first, last);
  else insertRun(db, scope, { first: key, last });
}

/** Takes a key out of its stretch, splitting it. */
export function splitRun(db: Connection, scope: string, key: Uint8Array): void {
  const run = runBefore(db, scope, key);
  if (run === undefined || Buffer.compare(run.last, key) < 0) return;
  const low = keyBefore(key);
  const high = keyAfter(key);
  if (low === undefined || sameKey(run.first, key)) deleteRun(db, scope, run.first);
  else endRun(db, scope, run.first, low);
  if (high !== undefined && !sameKey(run.last, key)) insertRun(db, scope, { first: high, last: run.last });
}

/** Makes the stretches anew from the addresses: after many were removed at once. */
export function rebuildRuns(db: Connection): void {
  db.script('DELETE FROM run');
  let open: { scope: string; first: Uint8Array; last: Uint8Array } | undefined;
  for (const row of db.all('SELECT scope, address FROM address ORDER BY scope, address')) {
    const address = bytes(row, 'address');
    const low = keyBefore(address);
    if (open !== undefined && open.scope === row['scope'] && low !== undefined && sameKey(open.last, low)) {
      open.last = address;
      continue;
    }
    if (open !== undefined) insertRun(db, open.scope, open);
    open = { scope: String(row['scope']), first: address, last: address };
  }
  if (open !== undefined) insertRun(db, open.scope, open);
}
