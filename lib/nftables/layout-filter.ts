/** The chains that drop packets the host routes, or is to receive. */
import type { Family } from '../base/ip.ts';
import { rule } from './chain-plan.ts';
import type { ChainPlan } from './chain-plan.ts';
import { NFT_JUMP, NFT_RETURN, NF_DROP } from './data.ts';
import { NFT_CT_STATE, NF_CT_STATE_ESTABLISHED, NF_CT_STATE_RELATED } from './expressions/ct.ts';
import { NFT_META_IIFNAME, NFT_META_L4PROTO } from './expressions/meta.ts';
import { IPPROTO, byte, transport } from './frame-match.ts';
import { BACKWARDS, LINK_LOCAL, REDIRECTED, THROUGH, from, loopback, to } from './layout-phrases.ts';
import {
  between,
  ctBits,
  equals,
  inSet,
  loadAddress,
  loadMeta,
  loadService,
  notInSet,
  ofFamily,
  verdict,
} from './match.ts';
import { NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING } from './messages/chain.ts';

const RAW = -300;
const FILTER = 0;
const RETURN = verdict(NFT_RETURN);
const DROP = verdict(NF_DROP);
const ANSWERS = ctBits(NFT_CT_STATE, NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED);

const without = (family: Family) => [
  ...ofFamily(family),
  loadAddress(family, 'source'),
  equals(Buffer.alloc(family === 4 ? 4 : 16)),
];
const within = (family: Family) => [
  ...ofFamily(family),
  loadMeta(NFT_META_IIFNAME),
  loadAddress(family, 'source', 2),
  inSet(`inside${family}`),
];

/**
 * Who lies about his address to the host has the host answer whom he likes (ICMP errors, echo replies, a proxy's
 * SYN+ACK), which it does by its own way out. Before routing, which has errors of its own (TTL, no route).
 */
const sources: ChainPlan = {
  name: 'sources',
  rules: [
    rule('of the network', within(4), RETURN),
    rule('of the network', within(6), RETURN),
    rule('link-local', ofFamily(6), loadAddress(6, 'source'), LINK_LOCAL, RETURN),
    rule('asks without an address', without(4), RETURN),
    rule('asks without an address', without(6), RETURN),
    rule('whose answers would go by another way', DROP),
  ],
};

/**
 * Publishing on 127.0.0.1 needs route_localnet on the bridge, and with it a container could address the host's loopback
 * services (CVE-2020-8558). Before connection tracking no packet from a bridge rightly has such an address: answers to
 * what we translate carry real ones.
 */
const guard: ChainPlan = {
  name: 'guard',
  base: { type: 'filter', hook: NF_INET_PRE_ROUTING, priority: RAW },
  rules: [
    rule(
      "nobody outside reaches the host's loopback services",
      from('bridges'),
      loopback('destination'),
      DROP,
    ),
    rule('nor pretends to be the host', from('bridges'), loopback('source'), DROP),
    rule('out by no other way in disguise', from('egress'), verdict(NFT_JUMP, 'sources')),
  ],
};

/**
 * What leaves a network with an egress of its own leaves by that alone, be it the middle of a connection; and since its
 * answers would go that way, too, nothing comes in by another one. What stays on a bridge between two of its ports does
 * not come by here: see layout-isolation.ts.
 */
const forward: ChainPlan = {
  name: 'forward',
  base: { type: 'filter', hook: NF_INET_FORWARD, priority: FILTER },
  rules: [
    rule('out by no other way', from('egress'), THROUGH, notInSet('egress_via'), DROP),
    rule('in by no other way', to('egress'), BACKWARDS, notInSet('egress_via'), DROP),
    rule('answers', ANSWERS, RETURN),
    rule('published ports', REDIRECTED, RETURN),
    rule('new connections from elsewhere', to('guarded'), THROUGH, notInSet('same_bridge'), DROP),
    rule(
      'new connections from other networks',
      to('apart'),
      from('bridges'),
      THROUGH,
      notInSet('joined'),
      DROP,
    ),
  ],
};

const protocolFrom = [loadMeta(NFT_META_IIFNAME), loadMeta(NFT_META_L4PROTO, 2)];

/** Without neighbour discovery (RFC 4861: types 133 to 136) nothing of IPv6 works; ARP does not come by here. */
const host: ChainPlan = {
  name: 'host',
  rules: [
    rule('answers', ANSWERS, RETURN),
    rule('to a proxy', REDIRECTED, RETURN),
    rule(
      'neighbour discovery',
      ofFamily(6),
      loadMeta(NFT_META_L4PROTO),
      equals(byte(IPPROTO.icmp6)),
      transport(0),
      between(byte(133), byte(136)),
      RETURN,
    ),
    rule('allowed', protocolFrom, inSet('host_protocols'), RETURN),
    rule('allowed', loadMeta(NFT_META_IIFNAME), loadService(2, 13), inSet('host_services'), RETURN),
    rule('the host itself', DROP),
  ],
};

const input: ChainPlan = {
  name: 'input',
  base: { type: 'filter', hook: NF_INET_LOCAL_IN, priority: FILTER },
  rules: [rule('what is for the host', from('host_guarded'), verdict(NFT_JUMP, 'host'))],
};

export const FILTER_CHAINS: readonly ChainPlan[] = [sources, guard, host, input, forward];
