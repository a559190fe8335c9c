/**
 * Claims on addresses, what was released lately, and where round robin stands, in the embedded store. A released
 * address stays in its stretch of `run`, out of reach of round robin, until 256 others were released after it.
 */
import type { Address } from '../../../lib/base/ip.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { AttachmentKey } from '../../record.ts';
import { formatKey } from '../../record.ts';
import type { Connection } from './connection.ts';
import type { Row } from './row.ts';
import { bytes, count, text } from './row.ts';
import { addressOf, keyOf, sameKey } from './key.ts';
import { firstFree, joinRun, splitRun } from './runs.ts';

const REMEMBERED_RELEASES = 256;

/** The key of an attachment row's columns network, container and ifname. */
export function keyFrom(row: Row): AttachmentKey {
  return { network: text(row, 'network'), containerId: text(row, 'container'), ifname: text(row, 'ifname') };
}

export function addressOwner(db: Connection, scope: string, address: Address): AttachmentKey | undefined {
  const row = db.get(
    `SELECT network, container, ifname FROM address JOIN attachment ON attachment.id = address.attachment
     WHERE scope = ? AND address = ?`,
    scope,
    keyOf(address),
  );
  return row && keyFrom(row);
}

function holder(db: Connection, scope: string, key: Uint8Array): number | undefined {
  const row = db.get('SELECT attachment FROM address WHERE scope = ? AND address = ?', scope, key);
  return row && count(row, 'attachment');
}

export function isTaken(db: Connection, scope: string, address: Address): boolean {
  return holder(db, scope, keyOf(address)) !== undefined;
}

export function nextFree(db: Connection, scope: string, from: Address, to: Address): Address | undefined {
  const key = firstFree(db, scope, keyOf(from));
  if (key === undefined || Buffer.compare(key, keyOf(to)) > 0) return undefined;
  return addressOf(key);
}

export function countTaken(db: Connection, scope: string, from: Address, to: Address): number {
  const sql = 'SELECT count(*) AS taken FROM address WHERE scope = ? AND address BETWEEN ? AND ?';
  return count(db.get(sql, scope, keyOf(from), keyOf(to)), 'taken');
}

/** Throws 'address-taken' naming the owner when another attachment holds it; holding it already is fine. */
export function claimAddress(db: Connection, scope: string, address: Address, attachment: number): void {
  const key = keyOf(address);
  const held = holder(db, scope, key);
  if (held === attachment) return;
  if (held !== undefined) {
    const owner = addressOwner(db, scope, address);
    const name = owner === undefined ? 'another container' : formatKey(owner);
    const advice = 'remove that container first, or run `netmoor gc` when it no longer exists';
    throw new NetmoorError('address-taken', `address ${formatAddress(address)} is held by ${name}`, advice);
  }
  db.run('INSERT INTO address (scope, address, attachment) VALUES (?, ?, ?)', scope, key, attachment);
  const free = firstFree(db, scope, key);
  if (free !== undefined && sameKey(free, key)) joinRun(db, scope, key);
  else db.run('DELETE FROM released WHERE scope = ? AND address = ?', scope, key);
}

/** Gives an address back, unless another attachment holds it. */
export function releaseAddress(db: Connection, scope: string, address: Address, attachment: number): void {
  const key = keyOf(address);
  if (holder(db, scope, key) !== attachment) return;
  db.run('DELETE FROM address WHERE scope = ? AND address = ?', scope, key);
  const newest = db.get('SELECT coalesce(max(turn), 0) AS turn FROM released WHERE scope = ?', scope);
  const turn = count(newest, 'turn') + 1;
  db.run('INSERT INTO released (scope, turn, address) VALUES (?, ?, ?)', scope, turn, key);
  forgetReleases(db, scope, turn - REMEMBERED_RELEASES);
}

/** Puts the addresses released up to this turn back among the free ones. */
export function forgetReleases(db: Connection, scope: string, upTo: number): void {
  for (const row of db.all('SELECT address FROM released WHERE scope = ? AND turn <= ?', scope, upTo)) {
    splitRun(db, scope, bytes(row, 'address'));
  }
  db.run('DELETE FROM released WHERE scope = ? AND turn <= ?', scope, upTo);
}

export function recentlyReleased(db: Connection, scope: string): Address[] {
  const rows = db.all('SELECT address FROM released WHERE scope = ? ORDER BY turn', scope);
  return rows.map((row) => addressOf(bytes(row, 'address')));
}

export function cursor(db: Connection, scope: string, range: string): Address | undefined {
  const row = db.get('SELECT address FROM cursor WHERE scope = ? AND range = ?', scope, range);
  return row && addressOf(bytes(row, 'address'));
}

export function setCursor(db: Connection, scope: string, range: string, address: Address): void {
  db.run('REPLACE INTO cursor (scope, range, address) VALUES (?, ?, ?)', scope, range, keyOf(address));
}
