/**
 * The chains of netmoor's tables and their rules. Each rule carries a comment, for whoever reads `nft list ruleset`,
 * and for the check that nobody has flushed them.
 */
import type { Family } from '../base/ip.ts';
import { rule } from './chain-plan.ts';
import type { ChainPlan, RulePlan } from './chain-plan.ts';
import { NFT_JUMP, NFT_RETURN, NF_DROP } from './data.ts';
import type { Expression } from './expression.ts';
import {
  IPS_DST_NAT,
  NFT_CT_STATE,
  NFT_CT_STATUS,
  NF_CT_STATE_ESTABLISHED,
  NF_CT_STATE_RELATED,
} from './expressions/ct.ts';
import { NFT_META_IIFNAME, NFT_META_OIFNAME } from './expressions/meta.ts';
import { NFT_PAYLOAD_LL_HEADER } from './expressions/payload.ts';
import { GUARD_CHAINS } from './guard/chains.ts';
import { isolation } from './layout-isolation.ts';
import {
  ctBits,
  dnatByMap,
  equals,
  inSet,
  loadAddress,
  loadMeta,
  loadService,
  masked,
  notInSet,
  ofFamily,
  toLocalAddress,
  verdict,
} from './match.ts';
import { NFPROTO_BRIDGE, NFPROTO_NETDEV } from './message.ts';
import {
  NF_INET_FORWARD,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
} from './messages/chain.ts';

const RAW = -300;
const DSTNAT = -100;
const FILTER = 0;
const SRCNAT = 100;
const MASQUERADE: Expression = { kind: 'masq' };
const RETURN = verdict(NFT_RETURN);
const LOOPBACK_NET = Buffer.from([127]);
const ALL_ONES = Buffer.alloc(4, 0xff);

const fromBridge = [loadMeta(NFT_META_IIFNAME), inSet('bridges')];
const toGuarded = [loadMeta(NFT_META_OIFNAME), inSet('guarded')];
const redirected = ctBits(NFT_CT_STATUS, IPS_DST_NAT);
const loopback = (which: 'source' | 'destination') =>
  [ofFamily(4), loadAddress(4, which, 1, 1), equals(LOOPBACK_NET)].flat();

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
      fromBridge,
      loopback('destination'),
      verdict(NF_DROP),
    ),
    rule('nor pretends to be the host', fromBridge, loopback('source'), verdict(NF_DROP)),
  ],
};

function publishOnOne(family: Family): RulePlan {
  // The address fills register 1's first word, or all of it.
  const service = family === 4 ? loadService(9, 10) : loadService(2, 13);
  const map = dnatByMap(family, `publish${family}_host`);
  return rule('published on one address', ofFamily(family), loadAddress(family, 'destination'), service, map);
}

function publishOnAll(family: Family): RulePlan {
  return rule(
    'published on every address',
    ofFamily(family),
    loadService(1, 9),
    dnatByMap(family, `publish${family}`),
  );
}

const LOOPBACK6 = Buffer.alloc(16);
LOOPBACK6[15] = 1;

/**
 * IPv6 has no route_localnet. A connection from ::1 can be redirected, but the answer, translated back, comes in
 * through the bridge for ::1 and is dropped: it hangs, where an unanswered ::1 makes clients turn to 127.0.0.1 at once.
 * (A route "local ::1 dev BRIDGE table local" would let answers in, but not where br_netfilter shows bridged frames to
 * ip6tables: there they are translated before ip6_rcv_core() looks for ::1 on interfaces other than lo. Seen with Linux
 * 6.18.)
 */
const notLoopback6 = rule(
  'an answer to ::1 would not be let in',
  ofFamily(6),
  loadAddress(6, 'destination'),
  equals(LOOPBACK6),
  RETURN,
);

const publish: ChainPlan = {
  name: 'publish',
  rules: [publishOnOne(4), publishOnAll(4), notLoopback6, publishOnOne(6), publishOnAll(6)],
};

/**
 * A packet for 127/8 that another machine sends is one the kernel drops, but only where it routes, behind us:
 * redirected here, it would have reached what is published for this host alone. What this host itself sends there
 * passes the output hook.
 */
const loopbackFromOutside = rule(
  'what is published on a loopback address is for this host alone',
  loopback('destination'),
  RETURN,
);

/**
 * CVE-2025-67499: without the question to the routing table, traffic forwarded to any host's port of that number was
 * ours.
 */
function redirecting(name: string, hook: number, ...before: readonly RulePlan[]): ChainPlan {
  const rules = [
    ...before,
    rule('what passes through is never redirected', toLocalAddress(), verdict(NFT_JUMP, 'publish')),
  ];
  return { name, base: { type: 'nat', hook, priority: DSTNAT }, rules };
}

/**
 * From an address of a network, out through that network's own bridge. Not by the incoming interface, which is unknown
 * here for packets that br_netfilter sends through; not by two addresses, since what a container routes through a
 * neighbour has a destination far away.
 */
function inside(family: Family): Expression[] {
  return [
    ...ofFamily(family),
    loadMeta(NFT_META_OIFNAME),
    loadAddress(family, 'source', 2),
    inSet(`inside${family}`),
  ];
}

function fromMasqueraded(family: Family): Expression[] {
  return [...ofFamily(family), loadAddress(family, 'source'), inSet(`masq${family}`)];
}

const toAddress = (family: Family, length?: number) => [
  ...ofFamily(family),
  loadAddress(family, 'destination', 1, length),
];

function linkLocal(): Expression[] {
  const mask = Buffer.alloc(16);
  mask.writeUInt16BE(0xffc0);
  const value = Buffer.alloc(16);
  value.writeUInt16BE(0xfe80);
  return masked(mask, value);
}

const HAIRPIN = 'back to a neighbour: the answer must come this way';

const postrouting: ChainPlan = {
  name: 'postrouting',
  base: { type: 'nat', hook: NF_INET_POST_ROUTING, priority: SRCNAT },
  rules: [
    rule(HAIRPIN, redirected, inside(4), MASQUERADE),
    rule(HAIRPIN, redirected, inside(6), MASQUERADE),
    rule(
      'from the host by its loopback address',
      redirected,
      loadMeta(NFT_META_OIFNAME),
      inSet('bridges'),
      loopback('source'),
      MASQUERADE,
    ),
    rule('within one network', inside(4), RETURN),
    rule('within one network', inside(6), RETURN),
    rule(
      'multicast',
      toAddress(4),
      masked(Buffer.from([0xf0, 0, 0, 0]), Buffer.from([0xe0, 0, 0, 0])),
      RETURN,
    ),
    rule('broadcast', toAddress(4), equals(ALL_ONES), RETURN),
    rule('multicast', toAddress(6, 1), equals(Buffer.from([0xff])), RETURN),
    rule('link-local', toAddress(6), linkLocal(), RETURN),
    rule('out of a network', fromMasqueraded(4), MASQUERADE),
    rule('out of a network', fromMasqueraded(6), MASQUERADE),
  ],
};

/**
 * Bridges whose ingress policy is not "open". What stays on a bridge between two of its ports does not come by here:
 * see layout-isolation.ts.
 */
const forward: ChainPlan = {
  name: 'forward',
  base: { type: 'filter', hook: NF_INET_FORWARD, priority: FILTER },
  rules: [
    rule('answers', toGuarded, ctBits(NFT_CT_STATE, NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED), RETURN),
    rule('published ports', toGuarded, redirected, RETURN),
    rule(
      'new connections from elsewhere',
      toGuarded,
      loadMeta(NFT_META_IIFNAME),
      loadMeta(NFT_META_OIFNAME, 2),
      notInSet('same_bridge'),
      verdict(NF_DROP),
    ),
  ],
};

export const INET_CHAINS: readonly ChainPlan[] = [
  guard,
  publish,
  redirecting('prerouting', NF_INET_PRE_ROUTING, loopbackFromOutside),
  redirecting('output', NF_INET_LOCAL_OUT),
  postrouting,
  forward,
];

const sourceMac: Expression = { kind: 'payload', dreg: 2, base: NFT_PAYLOAD_LL_HEADER, offset: 6, length: 6 };

export const BRIDGE_CHAINS: readonly ChainPlan[] = [
  {
    name: 'prerouting',
    base: { type: 'filter', hook: NF_INET_PRE_ROUTING, priority: RAW },
    rules: [
      rule(
        'only its own MAC address',
        loadMeta(NFT_META_IIFNAME),
        inSet('checked'),
        loadMeta(NFT_META_IIFNAME),
        sourceMac,
        notInSet('macs'),
        verdict(NF_DROP),
      ),
    ],
  },
  isolation,
];

/** The chains of the table of one family. */
export function chainsOf(family: number): readonly ChainPlan[] {
  if (family === NFPROTO_NETDEV) return GUARD_CHAINS;
  return family === NFPROTO_BRIDGE ? BRIDGE_CHAINS : INET_CHAINS;
}
