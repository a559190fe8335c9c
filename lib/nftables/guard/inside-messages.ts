/** The rules of a container's table as messages. */
import { NLM_F_CREATE } from '../../netlink/socket.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import { NFPROTO_NETDEV as family } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { commented } from '../userdata.ts';

/** Stands for the name of any container's table, and is as long. */
export const ANY_TABLE = 'netmoor_inside_00000000';

/** With `flags` NLM_F_APPEND behind the rules that are there, else before them. */
export function ruleMessages(table: string, chains: readonly ChainPlan[], flags = 0): NftMessage[] {
  const message = (chain: string, { comment, expressions }: RulePlan): NftMessage => {
    const body = { table, chain, expressions, userdata: commented(comment) };
    return { name: 'NEWRULE', family, flags: NLM_F_CREATE | flags, body };
  };
  return chains.flatMap(({ name, rules }) => rules.map((each) => message(name, each)));
}
