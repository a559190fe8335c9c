/**
 * Looks a register up in a set, or in a map whose data then fills `dreg` (linux/netfilter/nf_tables.h,
 * nft_lookup_attributes).
 */
import { struct, text, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_LOOKUP_F_INV = 1;

export const lookup = struct({
  sreg: u32be(2),
  dreg: u32be(3),
  set: text(1),
  setId: u32be(4),
  flags: u32be(5),
});

export type Lookup = Decoded<typeof lookup>;
