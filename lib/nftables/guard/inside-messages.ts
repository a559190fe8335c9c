/** The rules of a container's table as messages. */
import { NLM_F_CREATE } from '../../netlink/socket.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import { NFPROTO_NETDEV as family } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { commented } from '../userdata.ts';

export const INSIDE_TABLE = 'netmoor_inside';

/** With `flags` NLM_F_APPEND behind the rules that are there, else before them. */
export function ruleMessages(chains: readonly ChainPlan[], flags = 0): NftMessage[] {
  const message = (chain: string, { comment, expressions }: RulePlan): NftMessage => {
    const body = { table: INSIDE_TABLE, chain, expressions, userdata: commented(comment) };
    return { name: 'NEWRULE', family, flags: NLM_F_CREATE | flags, body };
  };
  return chains.flatMap(({ name, rules }) => rules.map((each) => message(name, each)));
}
