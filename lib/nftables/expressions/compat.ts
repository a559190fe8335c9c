/**
 * iptables' own matches and targets inside an nf_tables rule (linux/netfilter/nf_tables_compat.h, nft_match_attributes
 * and nft_target_attributes); `info` is the C structure of that match or target.
 */
import { bytes, struct, text, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

/** One description serves both: the attributes have the same numbers and meanings. */
export const compat = struct({
  name: text(1),
  revision: u32be(2),
  info: bytes(3),
});

export type Compat = Decoded<typeof compat>;
