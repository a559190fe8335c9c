/** The chains that translate addresses: who is redirected where, and whose source becomes which. */
import type { Family } from '../base/ip.ts';
import { word } from '../base/transport.ts';
import { rule } from './chain-plan.ts';
import type { ChainPlan, RulePlan } from './chain-plan.ts';
import { NFT_JUMP, NFT_RETURN } from './data.ts';
import type { Expression } from './expression.ts';
import { NFT_META_IIFNAME, NFT_META_L4PROTO, NFT_META_OIFNAME } from './expressions/meta.ts';
import { IPPROTO, byte, transport } from './frame-match.ts';
import { LINK_LOCAL, REDIRECTED, from, loopback, to } from './layout-phrases.ts';
import {
  dnatByMap,
  equals,
  inSet,
  loadAddress,
  loadMeta,
  loadService,
  masked,
  notInSet,
  notLocal,
  ofFamily,
  snatByMap,
  toLocalAddress,
  verdict,
} from './match.ts';
import { NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING } from './messages/chain.ts';

const DSTNAT = -100;
const SRCNAT = 100;
const MASQUERADE: Expression = { kind: 'masq' };
const RETURN = verdict(NFT_RETURN);
const ALL_ONES = Buffer.alloc(4, 0xff);
const DNS = word(53);

/** The destination, protocol and port into registers; behind them, what `more` loads. */
function service(family: Family): Expression[] {
  // The address fills register 1's first word, or all of it.
  return [loadAddress(family, 'destination'), ...(family === 4 ? loadService(9, 10) : loadService(2, 13))];
}

/** The keys of met4 and met4_via: behind the service the source, behind that the interface. */
function circumstances(family: Family): Expression[] {
  return [...service(family), loadAddress(family, 'source', family === 4 ? 11 : 14)];
}

function circumstancesVia(family: Family): Expression[] {
  return [...circumstances(family), loadMeta(NFT_META_IIFNAME, family === 4 ? 2 : 18)];
}

/** One address before all of them, single ports before ranges. */
function publishing(family: Family): RulePlan[] {
  const maps = (name: string, what: Expression[], map: Expression[]) =>
    rule(name, ofFamily(family), what, map);
  return [
    rule(
      'published on conditions, which are not met',
      ofFamily(family),
      service(family),
      inSet(`conditional${family}`),
      circumstances(family),
      notInSet(`met${family}`),
      circumstancesVia(family),
      notInSet(`met${family}_via`),
      RETURN,
    ),
    maps('published on one address', service(family), dnatByMap(family, `publish${family}_host`)),
    maps(
      'all of a public address',
      [loadAddress(family, 'destination')],
      dnatByMap(family, `one${family}`, 'address'),
    ),
    maps('published ranges', service(family), dnatByMap(family, `publish${family}_range`, 'address')),
    maps('published on every address', loadService(1, 9), dnatByMap(family, `publish${family}`)),
  ];
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
  rules: [...publishing(4), notLoopback6, ...publishing(6)],
};

/** DNS over TCP goes the way of TCP. Neighbours are spoken to as ever, where br_netfilter shows their frames here. */
const proxy: ChainPlan = {
  name: 'proxy',
  rules: [
    ...([4, 6] as const).map((family) =>
      rule(
        'DNS to the proxy',
        ofFamily(family),
        loadMeta(NFT_META_L4PROTO),
        equals(byte(IPPROTO.udp)),
        transport(2, 2),
        equals(DNS),
        loadMeta(NFT_META_IIFNAME),
        dnatByMap(family, `dns_proxy${family}`),
      ),
    ),
    ...([4, 6] as const).map((family) =>
      rule(
        'neighbours',
        ofFamily(family),
        loadMeta(NFT_META_IIFNAME),
        loadAddress(family, 'destination', 2),
        inSet(`inside${family}`),
        notLocal(),
        RETURN,
      ),
    ),
    ...([4, 6] as const).map((family) =>
      rule(
        'TCP to the proxy',
        ofFamily(family),
        loadMeta(NFT_META_L4PROTO),
        equals(byte(IPPROTO.tcp)),
        loadMeta(NFT_META_IIFNAME),
        dnatByMap(family, `tcp_proxy${family}`),
      ),
    ),
  ],
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

/** A public address of a container need not be the host's: it is its own wherever it is routed to. */
const publicAddress = (family: Family): RulePlan =>
  rule(
    'all of a public address',
    ofFamily(family),
    loadAddress(family, 'destination'),
    dnatByMap(family, `one${family}`, 'address'),
  );

/**
 * CVE-2025-67499: without the question to the routing table, traffic forwarded to any host's port of that number was
 * ours.
 */
function redirecting(name: string, hook: number, ...before: readonly RulePlan[]): ChainPlan {
  const rules = [
    ...before,
    rule('what passes through is never redirected', toLocalAddress(), verdict(NFT_JUMP, 'publish')),
    publicAddress(4),
    publicAddress(6),
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

const source = (family: Family) => [...ofFamily(family), loadAddress(family, 'source')];
/** The source and the interface it leaves through. */
const sourceVia = (family: Family) => [...source(family), loadMeta(NFT_META_OIFNAME, family === 4 ? 9 : 2)];

const toAddress = (family: Family, length?: number) => [
  ...ofFamily(family),
  loadAddress(family, 'destination', 1, length),
];

const HAIRPIN = 'back to a neighbour: the answer must come this way';

function leaving(family: Family): RulePlan[] {
  const own = 'out of a network by an address of its own';
  const masquerade = 'out of a network';
  return [
    rule(own, sourceVia(family), snatByMap(family, `snat${family}_via`)),
    rule(own, source(family), snatByMap(family, `snat${family}`)),
    rule(masquerade, sourceVia(family), inSet(`masq${family}_via`), MASQUERADE),
    rule(masquerade, source(family), inSet(`masq${family}`), MASQUERADE),
  ];
}

const postrouting: ChainPlan = {
  name: 'postrouting',
  base: { type: 'nat', hook: NF_INET_POST_ROUTING, priority: SRCNAT },
  rules: [
    rule('redirected, with its source kept', REDIRECTED, to('no_snat'), RETURN),
    rule(HAIRPIN, REDIRECTED, inside(4), MASQUERADE),
    rule(HAIRPIN, REDIRECTED, inside(6), MASQUERADE),
    rule('from the host by its loopback address', REDIRECTED, to('bridges'), loopback('source'), MASQUERADE),
    rule('redirected, from wherever', REDIRECTED, to('masq_all'), MASQUERADE),
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
    rule('link-local', toAddress(6), LINK_LOCAL, RETURN),
    ...leaving(4),
    ...leaving(6),
  ],
};

export const NAT_CHAINS: readonly ChainPlan[] = [
  publish,
  proxy,
  redirecting(
    'prerouting',
    NF_INET_PRE_ROUTING,
    rule('what a proxy takes', from('proxied'), verdict(NFT_JUMP, 'proxy')),
    loopbackFromOutside,
  ),
  redirecting('output', NF_INET_LOCAL_OUT),
  postrouting,
];
