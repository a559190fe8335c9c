/**
 * Puts a value into a register, or a verdict into register 0 (linux/netfilter/nf_tables.h, nft_immediate_attributes).
 */
import { nest, struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { data } from '../data.ts';

export const NFT_REG_VERDICT = 0;

export const immediate = struct({
  dreg: u32be(1),
  data: nest(2, data),
});

export type Immediate = Decoded<typeof immediate>;
