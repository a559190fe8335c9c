/**
 * The number of the ruleset's present state, one higher with each transaction (linux/netfilter/nf_tables.h,
 * nft_gen_attributes).
 */
import { struct, text, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const generation = struct({
  id: u32be(1),
  processId: u32be(2),
  processName: text(3),
});

export type Generation = Decoded<typeof generation>;
