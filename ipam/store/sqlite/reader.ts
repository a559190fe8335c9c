/** Reading the embedded store, inside a transaction that keeps what is read consistent. */
import type { Address } from '../../../lib/base/ip.ts';
import type { DhcpLeaseRecord } from '../../dhcp/record.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord, PortRecord } from '../../record.ts';
import {
  addressOwner,
  countTaken,
  cursor,
  isTaken,
  keyFrom,
  nextFree,
  recentlyReleased,
} from './addresses.ts';
import type { Connection } from './connection.ts';
import { count } from './row.ts';
import { readContents } from './contents.ts';
import { checkBookkeeping } from './check-runs.ts';
import { attachmentRow, document } from './document.ts';
import { readAttachment, readDhcpLease, readIncarnation, readNetwork } from '../reading.ts';
import { claimOf } from '../claim.ts';
import { findCollision, findOwners } from './ports.ts';
import type { AttachmentFilter, StoreContents, StoreReader } from '../store.ts';

const BY_KEY = 'SELECT * FROM attachment WHERE network = ? AND container = ? AND ifname = ?';
const COLUMNS = {
  network: 'network',
  containerId: 'container',
  segment: 'segment',
  plugin: 'plugin',
} as const;

function matching(filter: AttachmentFilter): { conditions: string[]; values: string[] } {
  const conditions: string[] = [];
  const values: string[] = [];
  for (const name of ['network', 'containerId', 'segment', 'plugin'] as const) {
    const value = filter[name];
    if (value === undefined) continue;
    conditions.push(`${COLUMNS[name]} = ?`);
    values.push(value);
  }
  return { conditions, values };
}

/** What was read, unless it is the reason why it cannot be. */
function understood<T extends object>(read: T | string): T | undefined {
  return typeof read === 'string' ? undefined : read;
}

export class SqliteReader implements StoreReader {
  protected readonly db: Connection;

  constructor(db: Connection) {
    this.db = db;
  }

  protected find(key: AttachmentKey): { id: number; record: AttachmentRecord } | undefined {
    const row = this.db.get(BY_KEY, key.network, key.containerId, key.ifname);
    return row && { id: count(row, 'id'), record: readAttachment(attachmentRow(row), document(row)) };
  }

  attachment(key: AttachmentKey): AttachmentRecord | undefined {
    return this.find(key)?.record;
  }

  incarnation(key: AttachmentKey): string | undefined {
    const row = this.db.get(BY_KEY, key.network, key.containerId, key.ifname);
    return row && readIncarnation(key, document(row));
  }

  attachments(filter: AttachmentFilter = {}): AttachmentRecord[] {
    const { conditions, values } = matching(filter);
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const rows = this.db.all(`SELECT * FROM attachment ${where} ORDER BY id`, ...values);
    return rows.map((row) => readAttachment(attachmentRow(row), document(row)));
  }

  hasOther(key: AttachmentKey, filter: AttachmentFilter): boolean {
    const { conditions, values } = matching(filter);
    const where = ['NOT (network = ? AND container = ? AND ifname = ?)', ...conditions].join(' AND ');
    const sql = `SELECT 1 FROM attachment WHERE ${where} LIMIT 1`;
    return this.db.get(sql, key.network, key.containerId, key.ifname, ...values) !== undefined;
  }

  network(name: string): NetworkRecord | undefined {
    const row = this.db.get('SELECT record FROM network WHERE name = ?', name);
    return row && understood(readNetwork(document(row)));
  }

  networks(): NetworkRecord[] {
    const rows = this.db.all('SELECT record FROM network ORDER BY name');
    return rows.flatMap((row) => understood(readNetwork(document(row))) ?? []);
  }

  addressOwner(scope: string, address: Address): AttachmentKey | undefined {
    return addressOwner(this.db, scope, address);
  }

  portOwner(port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort'>): AttachmentKey | undefined {
    return findCollision(this.db, claimOf(port))?.owner;
  }

  portOwners(port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort' | 'count'>): AttachmentKey[] {
    return findOwners(this.db, claimOf(port));
  }

  nextFree(scope: string, from: Address, to: Address): Address | undefined {
    return nextFree(this.db, scope, from, to);
  }

  isTaken(scope: string, address: Address): boolean {
    return isTaken(this.db, scope, address);
  }

  countTaken(scope: string, from: Address, to: Address): number {
    return countTaken(this.db, scope, from, to);
  }

  recentlyReleased(scope: string): readonly Address[] {
    return recentlyReleased(this.db, scope);
  }

  cursor(scope: string, range: string): Address | undefined {
    return cursor(this.db, scope, range);
  }

  dhcpLease({ network, containerId, ifname }: AttachmentKey): DhcpLeaseRecord | undefined {
    const sql = 'SELECT * FROM dhcp_lease WHERE container = ? AND ifname = ? AND network = ?';
    const row = this.db.get(sql, containerId, ifname, network);
    return row && understood(readDhcpLease(keyFrom(row), document(row)));
  }

  dhcpLeases(): DhcpLeaseRecord[] {
    const rows = this.db.all('SELECT * FROM dhcp_lease');
    return rows.flatMap((row) => understood(readDhcpLease(keyFrom(row), document(row))) ?? []);
  }

  contents(): StoreContents {
    return readContents(this.db);
  }

  bookkeeping(): string[] {
    return checkBookkeeping(this.db);
  }
}
