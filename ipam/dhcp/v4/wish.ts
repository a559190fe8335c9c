/** What a DHCPv4 client asks for, and as whom: JSON, the same for all of its life. */
export interface Wish4 {
  /** Of the interface: "02:00:00:00:00:01". */
  readonly mac: string;
  /** Option 61 in hexadecimal, the type first. */
  readonly clientId: string;
  /** Codes of further options to ask for (option 55), beside DEFAULT_REQUEST. */
  readonly request?: readonly number[];
  /** Ask for nothing but `request`. */
  readonly replaceDefaults?: boolean;
  /** Options to send: values in hexadecimal by code. Those by which the protocol works cannot be given. */
  readonly provide?: Readonly<Record<string, string>>;
  /** Option 12; not sent beside `fqdn` (RFC 4702, section 3.1). */
  readonly hostname?: string;
  /** Option 81, asking the server to put the name into the DNS; it completes one that has no dot. */
  readonly fqdn?: string;
  /** Ask the link whether somebody has a new address before taking it. */
  readonly checkAddress: boolean;
  /** Option 50 of the first DISCOVER. */
  readonly preferredAddress?: string;
  /** Take an ACK in answer to a DISCOVER (RFC 4039). */
  readonly rapidCommit?: boolean;
  /** The interface takes no unicast for an address that it does not have yet: servers are to broadcast. */
  readonly broadcast?: boolean;
}

/**
 * Subnet mask; classless routes, before what they overrule (RFC 3442); routers, static routes; DNS; host name; MTU; the
 * lease and its times.
 */
export const DEFAULT_REQUEST: readonly number[] = [1, 121, 249, 3, 33, 6, 15, 119, 12, 26, 51, 54, 58, 59];

/** PAD, END, and what the machine itself says: address, overload, type, server, request list, size, identifier. */
export const OWN_OPTIONS: ReadonlySet<number> = new Set([0, 50, 52, 53, 54, 55, 57, 61, 80, 255]);
