/**
 * Compares a register with a value and ends the rule when it differs (linux/netfilter/nf_tables.h, nft_cmp_attributes).
 */
import { nest, struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { data } from '../data.ts';

export const NFT_CMP_EQ = 0;
export const NFT_CMP_NEQ = 1;
export const NFT_CMP_LTE = 3;
export const NFT_CMP_GTE = 5;

export const cmp = struct({
  sreg: u32be(1),
  op: u32be(2),
  data: nest(3, data),
});

export type Cmp = Decoded<typeof cmp>;
