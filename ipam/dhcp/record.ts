/**
 * What the lease store remembers of a DHCP client: one record for each attachment that has leases, beside the record of
 * the main plugin, which may be another's. Its schema is schemas/dhcp-lease.schema.json.
 */
import type { AttachmentKey, HostRecord } from '../record.ts';
import type { Lease4, Lease6 } from './lease.ts';

/** The version that this netmoor writes. */
export const DHCP_LEASE_VERSION = 1;

/** One machine: what it was given, and where it stands (see machine.ts). */
export interface ClientRecord<Lease> {
  readonly wish: object;
  readonly data: object;
  /** Absent while nothing is held. */
  readonly lease?: Lease;
}

export interface DhcpLeaseRecord extends AttachmentKey {
  readonly version: number;
  /** Tells this life of the key from an earlier or a later one. */
  readonly incarnation: string;
  readonly bootId: string;
  readonly host: HostRecord;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** When the last of it lapses unless it is prolonged, by the wall clock: for people, and for another boot. */
  readonly lapsesAt?: number;
  /** `inode` is "device:inode" of the namespace itself. */
  readonly netns: { readonly path: string; readonly inode: string };
  /** The interface in the container. */
  readonly link: { readonly index: number; readonly mac: string };
  /** The interface of the host that leads to the servers, where the configuration names one. */
  readonly segment?: string;
  /** IPv4 routes get it, where the configuration says so. */
  readonly priority?: number;
  readonly v4?: ClientRecord<Lease4>;
  readonly v6?: ClientRecord<Lease6>;
  /** What the interface has been given, while that is not what is held. */
  readonly applied?: { readonly v4?: Lease4; readonly v6?: Lease6 };
  /** Why the container that had it is taken to be gone; what it holds is only waiting to be given back, or to lapse. */
  readonly gone?: string;
}
