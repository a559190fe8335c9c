/** dreg = (sreg & mask) ^ xor (linux/netfilter/nf_tables.h, nft_bitwise_attributes). */
import { nest, struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { data } from '../data.ts';

export const bitwise = struct({
  sreg: u32be(1),
  dreg: u32be(2),
  op: u32be(6),
  length: u32be(3),
  mask: nest(4, data),
  xor: nest(5, data),
  data: nest(7, data),
});

export type Bitwise = Decoded<typeof bitwise>;
