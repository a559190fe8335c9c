/** What a DHCPv4 client asks, and what it is answered, apart from how the messages say so (RFC 2131). */

/** Addresses in text form; "0.0.0.0" is absence. */
export interface Query {
  readonly is: 'discover' | 'request' | 'decline' | 'release' | 'inform';
  readonly xid: number;
  /** The client's hardware address, "02:00:00:00:00:01". */
  readonly mac: string;
  /** Option 61 in hexadecimal, its type included. */
  readonly clientId?: string;
  readonly ciaddr?: string;
  /** Option 50. */
  readonly requested?: string;
  /** Option 54. */
  readonly server?: string;
  /** The client cannot receive unicast before it has an address. */
  readonly broadcast: boolean;
  /** Option 55; undefined: the client names none. */
  readonly wants?: readonly number[];
  /** Option 12. */
  readonly hostname?: string;
  /** Option 80 (RFC 4039). */
  readonly rapid: boolean;
  /** It came through a relay: its client is on another link. */
  readonly relayed: boolean;
  /** Bytes of a message that it takes, by option 57. */
  readonly limit?: number;
}

/** Seconds, as RFC 2131, section 4.4.5 recommends them. */
export interface Granted {
  readonly seconds: number;
  readonly renewAfter: number;
  readonly rebindAfter: number;
}

export interface Answer {
  readonly is: 'offer' | 'ack' | 'nak';
  /** yiaddr; absent for a NAK, and for who was only told something. */
  readonly address?: string;
  readonly granted?: Granted;
  /** Option 80: an acknowledgement of a DISCOVER. */
  readonly rapid?: true;
  /** Option 56, of a NAK. */
  readonly text?: string;
}
