/**
 * The sets of the table "netdev netmoor", which guards the masters of macvlan networks. Every key begins with the
 * master's index: two networks of the same numbers behind two masters have nothing to do with one another.
 *
 * A target of neighbour discovery has sets of its own: nft (before 1.0.8) knows no name for the field, and compares
 * what has no name with nothing that has a type.
 */
import { NFPROTO_NETDEV } from '../message.ts';

/** The guard's layout has a version of its own; see layout.ts. */
export const GUARD_LAYOUT_VERSION = 1;

const attachment = <const K extends readonly string[]>(...key: K) =>
  ({ family: NFPROTO_NETDEV, of: 'attachment', key }) as const;

const PORT = ['iface_index', 'ether_addr'] as const;

export const GUARD_SETS = {
  /** The MAC addresses of all attachments. */
  ports: attachment(...PORT),
  /** MAC addresses that may send from any address: of the host, of strangers, of attachments that are not checked. */
  admitted: attachment(...PORT),
  /** Who may send router advertisements and redirects. */
  routers: attachment(...PORT),
  /** Who may answer DHCP clients. */
  dhcp_servers: attachment(...PORT),
  /** The MAC address of the frame, that of the ARP packet in it, and the IPv4 address they may have; also 0.0.0.0. */
  own4: attachment('iface_index', 'ether_addr', 'ether_addr', 'ipv4_addr'),
  own6: attachment(...PORT, 'ipv6_addr'),
  targets6: attachment(...PORT, 'nd_target'),
  /** Interface identifiers, the lower half of addresses of any prefix. */
  ids6: attachment(...PORT, 'ipv6_addr'),
  target_ids6: attachment(...PORT, 'nd_target_id'),
  /** Whose identifier differs by prefix: outside of the prefixes in the two sets below nothing is known of it. */
  roaming6: attachment(...PORT),
  prefixes6: attachment(...PORT, 'ipv6_addr'),
  target_prefixes6: attachment(...PORT, 'nd_target_prefix'),
  /** Addresses that nobody but their holder sends from. */
  held4: attachment('iface_index', 'ipv4_addr'),
  held6: attachment('iface_index', 'ipv6_addr'),
  held_targets6: attachment('iface_index', 'nd_target'),
  /** Masters behind which only known MAC addresses send. */
  strict: attachment('iface_index'),
} as const;
