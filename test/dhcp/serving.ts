/** What a server is to give, in the same words for all; each kind writes it as its own configuration. */

export interface Route4 {
  readonly dst: string;
  readonly gw: string;
}

export interface Serving4 {
  readonly ifname?: string;
  readonly first: string;
  readonly last: string;
  /** The clients' subnet; the LAN's if absent. */
  readonly subnet?: string;
  /** Of the lease; dnsmasq gives 120 at the least, and renews by `t1` and `t2` all the same. */
  readonly seconds?: number;
  readonly t1?: number;
  readonly t2?: number;
  readonly router?: string;
  readonly dns?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly mtu?: number;
  /** Option 121. */
  readonly routes?: readonly Route4[];
  /** The subnet that the server itself is in, where a relay stands between it and the clients. */
  readonly own?: string;
  /**
   * In the server's own words: options of dnsmasq without `--`, statements of dhcpd's subnet, JSON objects whose
   * members go into Kea's subnet.
   */
  readonly extra?: readonly string[];
}

export interface Delegating {
  readonly prefix: string;
  readonly length: number;
  readonly delegated: number;
}

export interface Serving6 {
  readonly ifname?: string;
  readonly first?: string;
  readonly last?: string;
  readonly subnet?: string;
  /** Valid; preferred are three quarters of it. */
  readonly seconds?: number;
  readonly t1?: number;
  readonly t2?: number;
  readonly dns?: readonly string[];
  readonly search?: readonly string[];
  readonly rapidCommit?: boolean;
  /** Kea and dhcpd alone: dnsmasq delegates nothing. */
  readonly prefixes?: Delegating;
  /** Option 7, of Kea alone. */
  readonly preference?: number;
  /** The server's own address, where a relay stands between it and the clients and sends to it: for Kea alone. */
  readonly own?: string;
  readonly extra?: readonly string[];
}

export const SUBNET4 = '192.0.2.0/24';
export const SUBNET6 = '2001:db8:50::/64';

/** T1 and T2 as RFC 2131 4.4.5 has them, in whole seconds. */
export function times(serving: { readonly seconds?: number; readonly t1?: number; readonly t2?: number }): {
  seconds: number;
  t1: number;
  t2: number;
} {
  const { seconds = 3600 } = serving;
  const { t1 = Math.floor(seconds / 2), t2 = Math.floor((seconds * 7) / 8) } = serving;
  return { seconds, t1, t2 };
}

export function netmask(subnet: string): { address: string; mask: string } {
  const [address = '', length] = subnet.split('/');
  const bits = (0xffffffff << (32 - Number(length))) >>> 0;
  return { address, mask: [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.') };
}

/** The bytes of option 121 (RFC 3442): of each route its length, as many bytes of it as count, its gateway. */
export function classlessRoutes(routes: readonly Route4[]): Buffer {
  return Buffer.from(
    routes.flatMap(({ dst, gw }) => {
      const [address = '', length] = dst.split('/');
      const significant = address.split('.').slice(0, Math.ceil(Number(length) / 8));
      return [Number(length), ...significant.map(Number), ...gw.split('.').map(Number)];
    }),
  );
}
