/** Changing the embedded store, inside the one write transaction there can be at a time. */
import type { Address } from '../../lib/base/ip.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord } from '../record.ts';
import { claimAddress, forgetReleases, releaseAddress, setCursor } from './addresses.ts';
import { claimOf, claimPort, releasePort } from './ports.ts';
import { SqliteReader } from './reader.ts';
import type { StoreTransaction } from './store.ts';

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
    const previous = this.find(record);
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
    const values = [record.plugin, record.bridge ?? null, record.bootId, JSON.stringify(record)];
    if (id !== undefined) {
      this.db.run(
        'UPDATE attachment SET plugin = ?, bridge = ?, boot = ?, record = ? WHERE id = ?',
        ...values,
        id,
      );
      return id;
    }
    return this.db.run(
      `INSERT INTO attachment (network, container, ifname, plugin, bridge, boot, record) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      record.network,
      record.containerId,
      record.ifname,
      ...values,
    );
  }

  #release(held: Held, id: number): void {
    releaseAddress(this.db, held.scope, parsePrefix(held.text).address, id);
  }

  removeAttachment(key: AttachmentKey): void {
    const found = this.find(key);
    if (found === undefined) return;
    for (const held of leased(found.record)) this.#release(held, found.id);
    for (const port of found.record.ports) releasePort(this.db, claimOf(port), found.id);
    this.db.run('DELETE FROM attachment WHERE id = ?', found.id);
  }

  putNetwork(record: NetworkRecord): void {
    this.db.run('REPLACE INTO network (name, record) VALUES (?, ?)', record.name, JSON.stringify(record));
  }

  removeNetwork(name: string): void {
    this.db.run('DELETE FROM network WHERE name = ?', name);
    this.db.run('DELETE FROM cursor WHERE scope = ?', name);
    forgetReleases(this.db, name, Number.MAX_SAFE_INTEGER);
  }

  setCursor(scope: string, range: string, address: Address): void {
    setCursor(this.db, scope, range, address);
  }
}
