/**
 * The chains of netmoor's tables. Each rule carries a comment, for whoever reads `nft list ruleset`, and for the check
 * that nobody has flushed them.
 */
import type { ChainPlan } from './chain-plan.ts';
import { GUARD_CHAINS } from './guard/chains.ts';
import { FILTER_CHAINS } from './layout-filter.ts';
import { FRAME_CHAINS } from './layout-frames.ts';
import { isolation } from './layout-isolation.ts';
import { NAT_CHAINS } from './layout-nat.ts';
import { NFPROTO_BRIDGE, NFPROTO_NETDEV } from './message.ts';

const INET_CHAINS: readonly ChainPlan[] = [...FILTER_CHAINS, ...NAT_CHAINS];
const BRIDGE_CHAINS: readonly ChainPlan[] = [...FRAME_CHAINS, isolation];

/** The chains of the table of one family. */
export function chainsOf(family: number): readonly ChainPlan[] {
  if (family === NFPROTO_NETDEV) return GUARD_CHAINS;
  return family === NFPROTO_BRIDGE ? BRIDGE_CHAINS : INET_CHAINS;
}
