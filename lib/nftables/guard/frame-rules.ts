/** Rules that stand before all others, at the master and within containers. */
import { rule } from '../chain-plan.ts';
import type { RulePlan } from '../chain-plan.ts';
import { NFT_META_PROTOCOL } from '../expressions/meta.ts';
import { ETHERTYPES, carriesIp, differs } from '../frame-match.ts';
import { loadMeta } from '../match.ts';
import { DROP, framed, jump } from './phrases.ts';
import type { Hook } from './phrases.ts';

/**
 * The protocol that the kernel dissects by is what the sender of a packet socket says it is (sockaddr_ll.sll_protocol);
 * the receiver goes by the frame.
 */
export function lie(family: 4 | 6 | 'arp'): RulePlan {
  return rule('frames that are not what they were sent as', framed(ETHERTYPES[family]), [
    loadMeta(NFT_META_PROTOCOL),
    differs(ETHERTYPES[family]),
    ...DROP,
  ]);
}

/** To those who say who may play router or DHCP server. */
export function roles(hook: Hook): RulePlan[] {
  return [
    rule('roles in IPv4', carriesIp(4), jump(hook, 'roles4')),
    rule('roles in IPv6', carriesIp(6), jump(hook, 'roles6')),
  ];
}
