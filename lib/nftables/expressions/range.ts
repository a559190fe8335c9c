/** Compares a register with two bounds (linux/netfilter/nf_tables.h, nft_range_attributes). */
import { nest, struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { data } from '../data.ts';

export const range = struct({
  sreg: u32be(1),
  op: u32be(2),
  from: nest(3, data),
  to: nest(4, data),
});

export type Range = Decoded<typeof range>;
