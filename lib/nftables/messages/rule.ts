/** Rules (linux/netfilter/nf_tables.h, nft_rule_attributes). */
import { listOf, nest, struct, text, u32be, u64be } from '../../netlink/codec.ts';
import { NLA_F_NESTED } from '../../netlink/uapi.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { expression } from '../expression.ts';
import { userdata } from '../userdata.ts';

const NFTA_LIST_ELEM = 1 | NLA_F_NESTED;

/**
 * What iptables-nft tells about a rule for its own matches and targets: the layer 4 protocol, and whether it is
 * inverted.
 */
const compat = struct({
  protocol: u32be(1),
  flags: u32be(2),
});

export const rule = struct({
  table: text(1),
  chain: text(2),
  handle: u64be(3),
  /** The handle of the rule this one is put before (or behind, with NLM_F_APPEND). */
  position: u64be(6),
  expressions: nest(4, listOf(NFTA_LIST_ELEM, expression)),
  compat: nest(5, compat),
  userdata: userdata(7),
  id: u32be(9),
  positionId: u32be(10),
});

export type Rule = Decoded<typeof rule>;
