/** Translates an address, and a port, to what registers hold (linux/netfilter/nf_tables.h, nft_nat_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_NAT_SNAT = 0;
export const NFT_NAT_DNAT = 1;

export const nat = struct({
  type: u32be(1),
  family: u32be(2),
  addrMin: u32be(3),
  addrMax: u32be(4),
  protoMin: u32be(5),
  protoMax: u32be(6),
  flags: u32be(7),
});

export type Nat = Decoded<typeof nat>;
