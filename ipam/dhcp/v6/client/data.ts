/** What the machine of a client of DHCPv6 remembers: JSON, so that another process can go on. */
import type { LeasedPrefix6, Lease6 } from '../../lease.ts';

/** Messages of one transaction, sent again until there is an answer (RFC 9915, section 15). Milliseconds since boot. */
export interface Exchange {
  /** 24 bits. */
  readonly transaction: number;
  /** How often it was sent. */
  readonly tries: number;
  /** When first, and when last; before the first time: when this began. */
  readonly began: number;
  readonly sent: number;
  /** RT, how long it waits now for an answer. */
  readonly timeout: number;
  /** When it is sent next, or given up. */
  readonly next: number;
}

/** A prefix with the IA_PD that it came in. */
export interface HeldPrefix extends LeasedPrefix6 {
  readonly iaid: number;
}

export interface HeldLease extends Lease6 {
  readonly prefixes: readonly HeldPrefix[];
}

/** What a server would lease. */
export interface Offer {
  /** Its DUID, in hexadecimal, and the address it answered from. */
  readonly server: string;
  readonly serverAddress: string;
  readonly preference: number;
  readonly addresses: readonly string[];
  readonly prefixes: readonly { readonly prefix: string; readonly iaid: number }[];
}

/** The most seconds between two SOLICITs or INFORMATION-REQUESTs: SOL_MAX_RT and INF_MAX_RT. */
export interface Limits {
  readonly solicit: number;
  readonly inform: number;
}

interface Always {
  readonly limits: Limits;
  /** How often in a row what was leased, or about to be, came to nothing; slows down the next beginning. */
  readonly setbacks: number;
}

interface Asking extends Always {
  readonly exchange: Exchange;
}

export interface Soliciting extends Asking {
  readonly state: 'SOLICITING';
  /** The best so far. */
  readonly offer?: Offer;
  /** Addresses it would like. */
  readonly hints: readonly string[];
  /** The DUID of a server that granted nothing of what it had offered: any other is better. */
  readonly shunned?: string;
}

export interface Requesting extends Asking {
  readonly state: 'REQUESTING';
  readonly offer: Offer;
  /** Still in use while the server is asked to bind it anew (NoBinding). */
  readonly lease?: HeldLease;
}

export interface Bound extends Always {
  readonly state: 'BOUND';
  readonly lease: HeldLease;
}

export interface Renewing extends Asking {
  readonly state: 'RENEWING';
  readonly lease: HeldLease;
}

export interface Rebinding extends Asking {
  readonly state: 'REBINDING';
  readonly lease: HeldLease;
}

export type Prolonging = Renewing | Rebinding;

export interface Confirming extends Asking {
  readonly state: 'CONFIRMING';
  /** With delegated prefixes a REBIND asks (section 18.2.12). */
  readonly by: 'CONFIRM' | 'REBIND';
  readonly lease: HeldLease;
  /** Whether the lease is in use, or only remembered. */
  readonly used: boolean;
}

export interface Declining extends Asking {
  readonly state: 'DECLINING';
  /** The DUID of the server that leased them. */
  readonly server: string;
  readonly declined: readonly string[];
  /** What else it leased. */
  readonly lease?: HeldLease;
}

export interface Releasing extends Asking {
  readonly state: 'RELEASING';
  /** What is given back; no longer in use. */
  readonly lease: HeldLease;
}

export interface Released extends Always {
  readonly state: 'RELEASED';
}

export interface Informing extends Asking {
  readonly state: 'INFORMING';
  readonly lease?: HeldLease;
}

export interface Informed extends Always {
  readonly state: 'INFORMED';
  readonly lease: HeldLease;
}

export type AskingData =
  | Soliciting
  | Requesting
  | Prolonging
  | Confirming
  | Declining
  | Releasing
  | Informing;

export type Data6 = AskingData | Bound | Released | Informed;

export type State = Data6['state'];

/** What is in use. */
export function leaseIn(data: Data6): HeldLease | undefined {
  if (data.state === 'RELEASING' || (data.state === 'CONFIRMING' && !data.used)) return undefined;
  return 'lease' in data ? data.lease : undefined;
}
