/** Swaps the bytes of a register (linux/netfilter/nf_tables.h, nft_byteorder_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const byteorder = struct({
  sreg: u32be(1),
  dreg: u32be(2),
  op: u32be(3),
  length: u32be(4),
  size: u32be(5),
});

export type Byteorder = Decoded<typeof byteorder>;
