/** Asks the routing table about the packet (linux/netfilter/nf_tables.h, nft_fib_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_FIB_RESULT_ADDRTYPE = 3;
export const NFTA_FIB_F_DADDR = 2;
/** linux/rtnetlink.h: an address of this host. */
export const RTN_LOCAL = 2;

export const fib = struct({
  flags: u32be(3),
  result: u32be(2),
  dreg: u32be(1),
});

export type Fib = Decoded<typeof fib>;
