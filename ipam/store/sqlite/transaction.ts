/** Changing the embedded store, inside the one write transaction there can be at a time. */
import type { Address } from '../../../lib/base/ip.ts';
import { parsePrefix } from '../../../lib/base/ip.ts';
import type { DhcpLeaseRecord } from '../../dhcp/record.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord } from '../../record.ts';
import { claimAddress, forgetReleases, releaseAddress, setCursor } from './addresses.ts';
import { claimOf } from '../claim.ts';
import { claimPort, releasePort } from './ports.ts';
import { addressOf } from './key.ts';
import { SqliteReader } from './reader.ts';
import { bytes, text } from './row.ts';
import type { StoreTransaction } from '../store.ts';

interface Held {
  readonly scope: string;
  readonly text: string;
}

/** The addresses of a record that are the store's to give. */
function leased(record: AttachmentRecord | undefined): Held[] {
  return (record?.addresses ?? []).flatMap(({ scope, address }) => (scope ? { scope, text: address } : []));
}

function sameHeld(a: Held, b: Held): boolean {
  return a.scope === b.scope && a.text === b.text;
}

export class SqliteTransaction extends SqliteReader implements StoreTransaction {
  putAttachment(record: AttachmentRecord): void {
    if (record.unreadable !== undefined) return;
    const previous = this.find(record);
    if (previous?.record.unreadable !== undefined) this.#releaseAll(previous.id);
    const id = this.#store(record, previous?.id);
    const before = leased(previous?.record);
    const after = leased(record);
    for (const held of before.filter((old) => !after.some((kept) => sameHeld(kept, old))))
      this.#release(held, id);
    for (const { scope, text } of after) claimAddress(this.db, scope, parsePrefix(text).address, id);
    const oldPorts = previous?.record.ports ?? [];
    if (JSON.stringify(oldPorts) === JSON.stringify(record.ports)) return;
    for (const port of oldPorts) releasePort(this.db, claimOf(port), id);
    for (const port of record.ports) claimPort(this.db, claimOf(port), id);
  }

  #store(record: AttachmentRecord, id: number | undefined): number {
    const { plugin, segment = null, bootId, host } = record;
    const values = [plugin, segment, bootId, host?.id ?? '', JSON.stringify(record)];
    if (id !== undefined) {
      const sql =
        'UPDATE attachment SET plugin = ?, segment = ?, boot = ?, machine = ?, record = ? WHERE id = ?';
      this.db.run(sql, ...values, id);
      return id;
    }
    return this.db.run(
      `INSERT INTO attachment (network, container, ifname, plugin, segment, boot, machine, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      record.network,
      record.containerId,
      record.ifname,
      ...values,
    );
  }

  #release(held: Held, id: number): void {
    releaseAddress(this.db, held.scope, parsePrefix(held.text).address, id);
  }

  /** What an attachment holds whose record does not tell: found row by row, which is slow, and rare. */
  #releaseAll(id: number): void {
    for (const row of this.db.all('SELECT scope, address FROM address WHERE attachment = ?', id))
      releaseAddress(this.db, text(row, 'scope'), addressOf(bytes(row, 'address')), id);
    this.db.run('DELETE FROM port WHERE attachment = ?', id);
  }

  removeAttachment(key: AttachmentKey): void {
    const found = this.find(key);
    if (found === undefined) return;
    if (found.record.unreadable !== undefined) this.#releaseAll(found.id);
    for (const held of leased(found.record)) this.#release(held, found.id);
    for (const port of found.record.ports) releasePort(this.db, claimOf(port), found.id);
    this.db.run('DELETE FROM attachment WHERE id = ?', found.id);
  }

  putDhcpLease(record: DhcpLeaseRecord): void {
    const { network, containerId, ifname } = record;
    const sql = 'REPLACE INTO dhcp_lease (container, ifname, network, record) VALUES (?, ?, ?, ?)';
    this.db.run(sql, containerId, ifname, network, JSON.stringify(record));
  }

  removeDhcpLease({ network, containerId, ifname }: AttachmentKey): void {
    const sql = 'DELETE FROM dhcp_lease WHERE container = ? AND ifname = ? AND network = ?';
    this.db.run(sql, containerId, ifname, network);
  }

  putNetwork(record: NetworkRecord): void {
    this.db.run('REPLACE INTO network (name, record) VALUES (?, ?)', record.name, JSON.stringify(record));
  }

  removeNetwork(name: string): void {
    this.db.run('DELETE FROM network WHERE name = ?', name);
  }

  removeScope(scope: string): void {
    this.db.run('DELETE FROM cursor WHERE scope = ?', scope);
    forgetReleases(this.db, scope, Number.MAX_SAFE_INTEGER);
  }

  setCursor(scope: string, range: string, address: Address): void {
    setCursor(this.db, scope, range, address);
  }
}
