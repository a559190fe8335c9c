/**
 * The lease store's interface: who holds which address and which published port, and what undoing an attachment needs.
 * Drivers implement it (sqlite.ts is the embedded one); nothing outside this folder knows how they keep it.
 */
import type { Address } from '../../lib/base/ip.ts';
import type { AddressLedger, AddressView } from '../ledger.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord, PortRecord } from '../record.ts';
import type { Span } from '../span.ts';

export interface AttachmentFilter {
  readonly network?: string;
  readonly containerId?: string;
  readonly bridge?: string;
  readonly plugin?: string;
}

/** The store's own bookkeeping, for check.ts. */
export interface StoreContents {
  /** `record` and the networks' are as stored, not validated. */
  readonly attachments: readonly { readonly key: AttachmentKey; readonly record: unknown }[];
  readonly networks: readonly { readonly name: string; readonly record: unknown }[];
  /** `owner` is undefined for a row whose attachment is gone. */
  readonly addresses: readonly {
    readonly scope: string;
    readonly address: Address;
    readonly owner?: AttachmentKey;
  }[];
  readonly ports: readonly { readonly claim: PortClaim; readonly owner?: AttachmentKey }[];
  /** Free, but just released: oldest first in each scope. */
  readonly released: readonly { readonly scope: string; readonly address: Address }[];
  /** Stretches of taken and just released addresses as the free-address search sees them, by scope and address. */
  readonly runs: readonly { readonly scope: string; readonly span: Span }[];
}

/** Ports first..first+count-1 of a host address; no `host` means every address of the family, family 0 both families. */
export interface PortClaim {
  readonly protocol: PortRecord['protocol'];
  readonly family: 0 | 4 | 6;
  readonly host?: Address;
  readonly first: number;
  readonly count: number;
}

export interface StoreReader extends AddressView {
  attachment(key: AttachmentKey): AttachmentRecord | undefined;
  /** Oldest first. */
  attachments(filter?: AttachmentFilter): AttachmentRecord[];
  /** Whether the filter finds anything beside this attachment: at no more cost among many than among few. */
  hasOther(key: AttachmentKey, filter: AttachmentFilter): boolean;
  network(name: string): NetworkRecord | undefined;
  /** By name. */
  networks(): NetworkRecord[];
  /** Whose published port this one would collide with: a wildcard host address collides with every one of its family. */
  portOwner(port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort'>): AttachmentKey | undefined;
  contents(): StoreContents;
}

export interface StoreTransaction extends StoreReader, AddressLedger {
  /**
   * Inserts or replaces by key; claims the addresses that have a scope and the ports, releases those no longer listed.
   * Throws NetmoorError 'address-taken' or 'port-taken' naming the owner when another attachment holds one.
   */
  putAttachment(record: AttachmentRecord): void;
  /** Releases everything the attachment held; absent is fine. */
  removeAttachment(key: AttachmentKey): void;
  putNetwork(record: NetworkRecord): void;
  /** Also forgets where round robin stood in the scope of that name, and what was released in it. */
  removeNetwork(name: string): void;
}

/** Every failure is a NetmoorError: 'store' (with what to do), 'try-again' when another process holds it too long. */
export interface LeaseStore {
  /** One transaction, on disk when it returns; rolled back when fn throws. fn is synchronous: a promise is refused. */
  write<T>(fn: (tx: StoreTransaction) => T): T;
  /** A consistent snapshot; of nothing when the store does not exist yet, which reading does not change. */
  read<T>(fn: (reader: StoreReader) => T): T;
  /**
   * Closes what was opened and folds the log into the database file, at the cost of three more disk flushes. A process
   * about to exit can leave it out: what was written is safe, the next one finds it in the log.
   */
  close(): void;
}
