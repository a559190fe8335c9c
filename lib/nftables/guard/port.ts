/** What the guard is asked to do for an attachment to a macvlan network; values only. */
import { addressBytes } from '../../base/ip.ts';
import type { Address, Prefix } from '../../base/ip.ts';
import type { Owner } from '../owner.ts';

/**
 * The interface that macvlans are stacked on. Elements know it by its index, which a new name does not change; `name`
 * is the one it has now, by which the kernel binds hooks to it.
 */
export interface Master {
  readonly name: string;
  readonly index: number;
}

export interface Allowed {
  /** Router advertisements, and redirects. */
  readonly routerAdvertisements: boolean;
  /** Answers to DHCPv4 and DHCPv6 clients and relays. */
  readonly dhcpServer: boolean;
}

export interface MooredPort {
  readonly owner: Owner;
  readonly master: Master;
  readonly mac: string;
  /** All that are known, link-local ones too. */
  readonly addresses: readonly Address[];
  /** Those of `addresses` that the lease store gave to nobody else on this master. */
  readonly held: readonly Address[];
  /** The lower 64 bits of addresses it may have in any prefix (EUI-64, token). */
  readonly identifiers: readonly bigint[];
  /** Its identifiers differ by prefix (RFC 7217): outside of `prefixes` and fe80::/64 it may have any address. */
  readonly roams: boolean;
  /** Those of IPv6 are told apart by their first 64 bits; IPv4's are not looked at. */
  readonly prefixes: readonly Prefix[];
  /** False: it may send from any address, also those of others. */
  readonly spoofCheck: boolean;
  readonly allow: Allowed;
  /**
   * Behind this master only known MAC addresses send: attachments', and those listed here. What the host's kernel makes
   * itself (ARP, neighbour discovery, what it forwards) has the master's MAC address, or that of a macvlan of the
   * host's own: they belong into the list, and must not change. Routers of the LAN that lead from one subnet of
   * attachments to another belong there too.
   */
  readonly strict?: { readonly known: readonly string[] };
}

export const LINK_LOCAL_PREFIX = Buffer.from('fe80000000000000', 'hex');

export function idBytes(identifier: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(identifier);
  return bytes;
}

/** The first halves of addresses in the port's prefixes of IPv6, each once: several may lie within one /64. */
export function prefixesOf({ prefixes }: MooredPort): Buffer[] {
  const halves = prefixes
    .filter(({ address, length }) => address.family === 6 && length >= 64)
    .map(({ address }) => addressBytes(address).subarray(0, 8));
  return [...new Map(halves.map((half) => [half.toString('hex'), half])).values()];
}
