/** The types of what sets hold. */

/**
 * nft's types (datatype.h of nftables): their numbers, lengths in bytes, and whether nft reads them in host order.
 * Those that have a number for nft, but no type, are parts of the transport header: `bits` into it.
 */
export const TYPES = {
  ipv4_addr: { number: 7, length: 4, host: false },
  ipv6_addr: { number: 8, length: 16, host: false },
  ether_addr: { number: 9, length: 6, host: false },
  inet_proto: { number: 12, length: 1, host: false },
  inet_service: { number: 13, length: 2, host: false },
  iface_index: { number: 20, length: 4, host: true },
  ifname: { number: 41, length: 16, host: true },
  nd_target: { number: 4, length: 16, host: false, bits: 64 },
  nd_target_prefix: { number: 4, length: 8, host: false, bits: 64 },
  nd_target_id: { number: 4, length: 8, host: false, bits: 128 },
} as const;

export type TypeName = keyof typeof TYPES;
