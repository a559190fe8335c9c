/** What a DHCPv4 client has to know from one event to the next, state by state (RFC 2131, figure 5): JSON. */
import { withoutLength } from '../../../lib/base/ip.ts';
import type { Lease4 } from '../lease.ts';

/** Times are milliseconds since boot. */
export interface Exchange {
  readonly xid: number;
  /** When its first message was sent; the field `secs` counts from here. */
  readonly began: number;
  /** When its latest message was sent. */
  readonly sent: number;
  /** Messages sent again so far. */
  readonly repeats: number;
  /** When to go on without an answer. */
  readonly next: number;
}

/** How a client came to ask for an address. */
export interface Quest {
  /** The address it would rather have. */
  readonly prefer?: string;
  /** NAKs in a row. */
  readonly refusals: number;
}

export interface Offer {
  readonly address: string;
  readonly server: string;
}

/** Waits before it begins anew. */
export interface Init extends Quest {
  readonly state: 'INIT';
  readonly until: number;
}

export interface Selecting extends Quest {
  readonly state: 'SELECTING';
  readonly exchange: Exchange;
}

export interface Requesting extends Quest {
  readonly state: 'REQUESTING';
  readonly exchange: Exchange;
  readonly offer: Offer;
  /** As in the DISCOVER. */
  readonly secs: number;
}

/** Not RFC 2131's: waits for what the link says about the address. */
export interface Checking {
  readonly state: 'CHECKING';
  readonly lease: Lease4;
}

export interface Bound {
  readonly state: 'BOUND';
  readonly lease: Lease4;
  /** Absent: never. */
  readonly renewAt?: number;
}

export interface Renewing {
  readonly state: 'RENEWING' | 'REBINDING';
  readonly lease: Lease4;
  readonly exchange: Exchange;
}

export interface Rebooting {
  readonly state: 'REBOOTING';
  readonly exchange: Exchange;
  readonly address: string;
  /** Held, and used meanwhile. */
  readonly lease?: Lease4;
}

export interface Released {
  readonly state: 'RELEASED';
}

export type Data4 = Init | Selecting | Requesting | Checking | Bound | Renewing | Rebooting | Released;

/** The address of a lease without its prefix length. */
export function hostOf({ address }: Pick<Lease4, 'address'>): string {
  return withoutLength(address);
}

/** The lease that is held. */
export function heldLease(data: Data4): Lease4 | undefined {
  return 'lease' in data && data.state !== 'CHECKING' ? data.lease : undefined;
}

/** Whether an answer may come: only then the machine's runner needs a socket. */
export function isAsking(data: Data4): boolean {
  return 'exchange' in data;
}
