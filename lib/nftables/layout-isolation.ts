/**
 * Neighbours on one bridge, kept from containers whose ingress policy is "isolated". Frames between two ports of a
 * bridge come by the inet table only where br_netfilter shows them to it; these rules hold without, and with it agree
 * with what it does.
 *
 * The bridge family has connection tracking only in kernels built with nf_conntrack_bridge (a rule with "ct" is refused
 * with EPROTO elsewhere), so what is due to a container is told without: TCP and SCTP by what only the first packet of
 * a connection has, ICMP by type, UDP by who was asked in the last three minutes. All other IP is refused. What is not
 * IP, ARP for one, passes.
 *
 * The kernel's own port isolation (IFLA_BRPORT_ISOLATED) does not do: it knows no replies, and lets in whoever is not
 * isolated himself. And where br_netfilter redirects a neighbour's frame to a published port, it would drop it.
 */
import type { Family } from '../base/ip.ts';
import { rule } from './chain-plan.ts';
import type { ChainPlan, RulePlan } from './chain-plan.ts';
import { NFT_RETURN, NF_DROP } from './data.ts';
import type { Expression } from './expression.ts';
import { NFT_DYNSET_OP_UPDATE } from './expressions/dynset.ts';
import { NFT_META_IIFNAME, NFT_META_OIFNAME, NFT_META_PKTTYPE } from './expressions/meta.ts';
import { NFT_PAYLOAD_NETWORK_HEADER } from './expressions/payload.ts';
import {
  IPPROTO,
  LATER_FRAGMENT_6,
  and,
  atMost,
  byte,
  carries,
  carriesIp,
  differs,
  icmp,
  tagWithinTag,
  transport,
} from './frame-match.ts';
import { equals, inSet, loadAddress, loadMeta, notInSet, verdict } from './match.ts';
import { NF_INET_FORWARD } from './messages/chain.ts';

/** linux/netfilter_bridge.h NF_BR_PRI_FILTER_BRIDGED: nft's "filter" in this family. */
const FILTER_BRIDGED = -200;
const RETURN = verdict(NFT_RETURN);
/** linux/if_packet.h: for the receiving interface, here the bridge. */
const PACKET_HOST = 0;

/** The flow of a packet in four registers, as its answers will have it or as it has it itself. */
function flow(family: Family, as: 'asked' | 'answer'): Expression[] {
  const [first, second] =
    as === 'asked' ? (['destination', 'source'] as const) : (['source', 'destination'] as const);
  const [firstPort, secondPort] = as === 'asked' ? [2, 0] : [0, 2];
  // Addresses of four bytes fill a word each, those of sixteen a register each.
  const [second_, port, otherPort] = family === 4 ? [9, 10, 11] : [2, 3, 17];
  return [
    loadAddress(family, first),
    loadAddress(family, second, second_),
    transport(firstPort, 2, port),
    transport(secondPort, 2, otherPort),
  ];
}

const remember = (family: Family): RulePlan =>
  rule(
    'whom it asks may answer',
    [loadMeta(NFT_META_IIFNAME), inSet('isolated')],
    carriesIp(family),
    carries(IPPROTO.udp),
    flow(family, 'asked'),
    { kind: 'dynset', sregKey: 1, op: NFT_DYNSET_OP_UPDATE, set: `asked${family}` },
  );

const answered = (family: Family): RulePlan =>
  rule(
    'answers',
    carriesIp(family),
    carries(IPPROTO.udp),
    flow(family, 'answer'),
    inSet(`asked${family}`),
    RETURN,
  );

/**
 * Without its first part a datagram is never put together again; the part that tells what it is must be whole to be let
 * in.
 */
const REST = 'the rest of what was let in';
const rest4 = rule(
  REST,
  carriesIp(4),
  { kind: 'payload', dreg: 1, base: NFT_PAYLOAD_NETWORK_HEADER, offset: 6, length: 2 },
  and(Buffer.from([0x1f, 0xff])),
  differs(Buffer.alloc(2)),
  RETURN,
);
const rest6 = rule(REST, LATER_FRAGMENT_6, RETURN);

const passes = (family: Family, comment: string, type: number): RulePlan =>
  rule(comment, icmp(family, type), RETURN);

const REFUSED = 'new connections from neighbours';

export const isolation: ChainPlan = {
  name: 'forward',
  base: { type: 'filter', hook: NF_INET_FORWARD, priority: FILTER_BRIDGED },
  rules: [
    remember(4),
    remember(6),
    rule('others', loadMeta(NFT_META_OIFNAME), notInSet('isolated'), RETURN),
    // What was sent to the bridge itself is not forwarded, but for what was given another destination on the way.
    rule(
      'published ports, where br_netfilter redirects frames',
      loadMeta(NFT_META_PKTTYPE),
      equals(byte(PACKET_HOST)),
      RETURN,
    ),
    ...tagWithinTag(verdict(NF_DROP)),
    rest4,
    rest6,
    // RFC 9293 3.1: SYN without ACK. RFC 9260 3.3.2: the INIT chunk comes alone.
    rule(
      'within connections',
      carries(IPPROTO.tcp),
      transport(13),
      and(byte(0x12)),
      differs(byte(0x02)),
      RETURN,
    ),
    rule('within connections', carries(IPPROTO.sctp), transport(12), differs(byte(1)), RETURN),
    answered(4),
    answered(6),
    // RFC 792; RFC 4443; RFC 4861.
    passes(4, 'answers', 0),
    passes(4, 'errors', 3),
    passes(4, 'errors', 11),
    rule('errors', carriesIp(6), carries(IPPROTO.icmp6), transport(0), atMost(byte(4)), RETURN),
    passes(6, 'answers', 129),
    passes(6, 'neighbour discovery', 135),
    passes(6, 'neighbour discovery', 136),
    rule(REFUSED, carriesIp(4), verdict(NF_DROP)),
    rule(REFUSED, carriesIp(6), verdict(NF_DROP)),
  ],
};
