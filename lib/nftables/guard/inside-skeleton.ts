/**
 * What is the same in the tables of all containers, encoded: the build puts the bytes in this module's place
 * (cli/build/bundle.ts), as it does with ../skeleton.ts. What differs is put before the rules of the chains here.
 */
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/socket.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan } from '../chain-plan.ts';
import { NFPROTO_NETDEV as family, encodeMessage } from '../message.ts';
import type { EncodedMessage, NftMessage } from '../message.ts';
import { lie, roles } from './frame-rules.ts';
import { ANY_TABLE, ruleMessages } from './inside-messages.ts';
import { DROP, chainName, goTo } from './phrases.ts';
import { portChains } from './port-chains.ts';
import { roleChains } from './roles.ts';

const HOOK = 'egress';
const NOBODY = { source4: [], arp: [], source6: [], target6: [] };

/** Without what is its own, nothing may be sent. */
function insideChains(): ChainPlan[] {
  return [
    ...roleChains(HOOK, {}),
    ...portChains(HOOK, NOBODY),
    { name: chainName(HOOK, 'frame'), rules: [...roles(HOOK), rule('the rest', goTo(HOOK, 'port'))] },
    { name: chainName(HOOK, 'sender'), rules: [rule('MAC addresses of others', DROP)] },
    { name: HOOK, rules: [lie(6), lie(4), lie('arp'), rule('who sends', goTo(HOOK, 'sender'))] },
  ];
}

/** Rules that stand before the others of their chains, by what they refuse. */
function refusals(role: 'router' | 'dhcpServer'): ChainPlan[] {
  const all = roleChains(HOOK, { [role]: DROP });
  const others = new Set(roleChains(HOOK, {}).flatMap(({ rules }) => rules.map(({ comment }) => comment)));
  return all.map(({ name, rules }) => ({ name, rules: rules.filter(({ comment }) => !others.has(comment)) }));
}

function encoded(messages: readonly NftMessage[]): EncodedMessage[] {
  return messages.map((message) => {
    const { name, flags = 0 } = message;
    return { name, flags, encoded: encodeMessage(message) };
  });
}

/** Of a table that is not there yet. */
export function emptyTable(): EncodedMessage[] {
  const body = { name: ANY_TABLE, flags: 0 };
  return encoded([{ name: 'NEWTABLE', family, flags: NLM_F_CREATE | NLM_F_EXCL, body }]);
}

/** All chains but the base chain, and the rules of all. */
export function insideRules(): EncodedMessage[] {
  const chains = insideChains();
  const made = chains.filter(({ name }) => name !== HOOK);
  return encoded([
    ...made.map(({ name }): NftMessage => {
      return { name: 'NEWCHAIN', family, flags: NLM_F_CREATE, body: { table: ANY_TABLE, name } };
    }),
    ...ruleMessages(ANY_TABLE, chains, NLM_F_APPEND),
  ]);
}

export function refuseRouter(): EncodedMessage[] {
  return encoded(ruleMessages(ANY_TABLE, refusals('router')));
}

export function refuseDhcpServer(): EncodedMessage[] {
  return encoded(ruleMessages(ANY_TABLE, refusals('dhcpServer')));
}
