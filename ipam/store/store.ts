/**
 * The lease store's interface: who holds which address and which published port, and what undoing an attachment needs.
 * Drivers implement it (sqlite/ is the embedded one); nothing outside their folders knows how they keep it.
 *
 * The contract, which a second driver has to keep:
 * - Lock. There is one write transaction at a time, over all processes that use the store; others wait for it, up to a
 *   limit ('try-again'). Who holds it and dies has changed nothing, and no longer holds it.
 * - Snapshot. What a transaction reads is one state of the store, with its own changes.
 * - Commit. When write() returns, the change survives a crash and a power cut, and so does all that was written before
 *   (where it has changed nothing, it promises nothing); when its function throws, nothing has changed. When intend()
 *   returns, the change survives a crash of whatever process.
 * - Effects inside. What attachments share in the kernel (a bridge, the nftables tables, the host's firewall) is made
 *   where everybody may make it, and taken away only inside a write transaction that has seen nobody else use it: an
 *   attachment that begins meanwhile waits at its intent. So is what is built for all from their records: nobody may
 *   come or go between reading them and building. Effects are not rolled back with the transaction: they must bear
 *   repetition.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Address } from '../../lib/base/ip.ts';
import type { AddressLedger, AddressView } from '../ledger.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord, PortRecord } from '../record.ts';
import type { DhcpLeaseRecord } from '../dhcp/record.ts';
import type { AttachmentRow } from './reading.ts';

export interface AttachmentFilter {
  readonly network?: string;
  readonly containerId?: string;
  readonly segment?: string;
  readonly plugin?: string;
}

/** The store's own bookkeeping, for check.ts. */
export interface StoreContents {
  /** `record` and the networks' are as stored, not validated. */
  readonly attachments: readonly { readonly row: AttachmentRow; readonly record: unknown }[];
  readonly networks: readonly { readonly name: string; readonly record: unknown }[];
  readonly dhcpLeases: readonly { readonly key: AttachmentKey; readonly record: unknown }[];
  /** `owner` is undefined for a row whose attachment is gone. */
  readonly addresses: readonly {
    readonly scope: string;
    readonly address: Address;
    readonly owner?: AttachmentKey;
  }[];
  readonly ports: readonly { readonly claim: PortClaim; readonly owner?: AttachmentKey }[];
}

/**
 * Ports first..first+count-1 of a host address; no `host` means every address of the family, family 0 both families.
 */
export interface PortClaim {
  readonly protocol: PortRecord['protocol'];
  readonly family: 0 | 4 | 6;
  readonly host?: Address;
  readonly first: number;
  readonly count: number;
}

export interface StoreReader extends AddressView {
  /** Records of every version are read (see reading.ts); one that cannot be understood says so in `unreadable`. */
  attachment(key: AttachmentKey): AttachmentRecord | undefined;
  /** That of the record under this key, whatever else it says; undefined when there is none. */
  incarnation(key: AttachmentKey): string | undefined;
  /** Oldest first. */
  attachments(filter?: AttachmentFilter): AttachmentRecord[];
  /** Whether the filter finds anything beside this attachment: at no more cost among many than among few. */
  hasOther(key: AttachmentKey, filter: AttachmentFilter): boolean;
  network(name: string): NetworkRecord | undefined;
  /** By name. */
  networks(): NetworkRecord[];
  /**
   * Whose published port this one would collide with: a wildcard host address collides with every one of its family.
   */
  portOwner(port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort'>): AttachmentKey | undefined;
  /** Whose published ports any of these would collide with; each attachment once. */
  portOwners(port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort' | 'count'>): AttachmentKey[];
  /** What DHCP servers have leased to an attachment; one that cannot be understood is undefined, as is none. */
  dhcpLease(key: AttachmentKey): DhcpLeaseRecord | undefined;
  /** Those that can be understood; in no order. */
  dhcpLeases(): DhcpLeaseRecord[];
  contents(): StoreContents;
  /** How the driver's own bookkeeping contradicts what is held, in words; [] when it does not. For check.ts. */
  bookkeeping(): string[];
}

export interface StoreTransaction extends StoreReader, AddressLedger {
  /**
   * Inserts or replaces by key, the unreadable excepted, which stay as they are; claims the addresses that have a scope
   * and the ports, releases those no longer listed. Throws NetmoorError 'address-taken' or 'port-taken' naming the
   * owner when another attachment holds one.
   */
  putAttachment(record: AttachmentRecord): void;
  /** Releases everything the attachment held, whatever its record says; absent is fine. */
  removeAttachment(key: AttachmentKey): void;
  /** Inserts or replaces by key. */
  putDhcpLease(record: DhcpLeaseRecord): void;
  /** Absence is fine. */
  removeDhcpLease(key: AttachmentKey): void;
  putNetwork(record: NetworkRecord): void;
  removeNetwork(name: string): void;
  /** Forgets where round robin stood in a scope in which nothing is held any more, and what was released in it. */
  removeScope(scope: string): void;
}

/** Another process has held the store for too long. */
export class StoreHeld extends NetmoorError {
  /** `holder`: in words, where it is known. */
  constructor(file: string, holder: string | undefined, cause: unknown) {
    const advice = holder
      ? 'if that one hangs, end it; then try again'
      : 'try again; `fuser -v` on that file names it';
    super('try-again', `lease store ${file} is held by ${holder ?? 'another process'}`, advice, { cause });
  }
}

/** Every failure is a NetmoorError: 'store' (with what to do), or StoreHeld. */
export interface LeaseStore {
  /** One transaction, on disk when it returns; rolled back when fn throws. fn is synchronous: a promise is refused. */
  write<T>(fn: (tx: StoreTransaction) => T): T;
  /**
   * The same for what is only the beginning, and nobody is told of: on disk when a later write() returns. A power cut
   * takes it along with what was begun in the kernel; whatever would outlive that calls for write().
   */
  intend<T>(fn: (tx: StoreTransaction) => T): T;
  /** A consistent snapshot; of nothing when the store does not exist yet, which reading does not change. */
  read<T>(fn: (reader: StoreReader) => T): T;
  /**
   * Closes what was opened and folds the log into the database file, at the cost of three more disk flushes. A process
   * about to exit can leave it out: what was written is safe, the next one finds it in the log.
   */
  close(): void;
}
