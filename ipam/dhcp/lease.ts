/** What a DHCP server has leased, as it is kept and used: JSON, addresses in text form. */

/** Seconds from `since` on; undefined: for ever. */
export interface Times {
  /** When the message that got or prolonged it was sent: milliseconds since boot (CLOCK_BOOTTIME). */
  readonly since: number;
  /** Seconds after `since`. */
  readonly renewAfter?: number;
  readonly rebindAfter?: number;
  readonly validFor?: number;
}

export interface LeasedRoute {
  readonly dst: string;
  /** Absent: on the link. */
  readonly gw?: string;
}

export interface LeasedDns {
  readonly nameservers: readonly string[];
  readonly domain?: string;
  readonly search: readonly string[];
}

/** RFC 2131 */
export interface Lease4 extends Times {
  /** With prefix length: "192.168.77.50/24". */
  readonly address: string;
  /** Option 54. */
  readonly server: string;
  /** Of whoever the acknowledgement came from on the link, the server or a relay. */
  readonly serverMac?: string;
  /** The first router, option 3, where classless routes do not overrule it (RFC 3442). */
  readonly gateway?: string;
  /** Options 121 or 249, else 33 and 3. */
  readonly routes: readonly LeasedRoute[];
  readonly dns: LeasedDns;
  /** Option 26. */
  readonly mtu?: number;
  /** Option 12. */
  readonly hostname?: string;
}

export interface LeasedAddress6 {
  readonly address: string;
  /** Seconds after `since`; undefined: for ever. */
  readonly preferredFor?: number;
  readonly validFor?: number;
}

export interface LeasedPrefix6 {
  /** "2001:db8:1::/56" */
  readonly prefix: string;
  readonly preferredFor?: number;
  readonly validFor?: number;
}

/** RFC 9915. `validFor` of the whole: the longest of its parts. */
export interface Lease6 extends Times {
  /** Its DUID, in hexadecimal. */
  readonly server: string;
  /** The link-local address it answered from. */
  readonly serverAddress: string;
  readonly addresses: readonly LeasedAddress6[];
  readonly prefixes: readonly LeasedPrefix6[];
  readonly dns: LeasedDns;
  /** Nothing was leased, only told (INFORMATION-REQUEST); asked again after `renewAfter` (option 32). */
  readonly stateless?: boolean;
}
