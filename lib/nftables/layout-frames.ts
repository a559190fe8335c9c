/** What frames from containers are dropped for where they come into a bridge. */
import { word } from '../base/transport.ts';
import { rule } from './chain-plan.ts';
import type { ChainPlan, RulePlan } from './chain-plan.ts';
import { NFT_JUMP, NFT_RETURN, NF_DROP } from './data.ts';
import type { Expression } from './expression.ts';
import { NFT_META_IIFNAME } from './expressions/meta.ts';
import { NFT_PAYLOAD_LL_HEADER, NFT_PAYLOAD_NETWORK_HEADER } from './expressions/payload.ts';
import { IPPROTO, carries, carriesIp, icmp, tagWithinTag, transport } from './frame-match.ts';
import { from } from './layout-phrases.ts';
import { equals, inSet, loadAddress, loadMeta, notInSet, verdict } from './match.ts';
import { NF_INET_PRE_ROUTING } from './messages/chain.ts';

const RAW = -300;
const RETURN = verdict(NFT_RETURN);
const DROP = verdict(NF_DROP);
const PORT = loadMeta(NFT_META_IIFNAME);

const sourceMac: Expression = { kind: 'payload', dreg: 2, base: NFT_PAYLOAD_LL_HEADER, offset: 6, length: 6 };
/** RFC 826: the sender's addresses, behind types and lengths. */
const arpSender = (offset: number, length: number, dreg = 2): Expression => ({
  kind: 'payload',
  dreg,
  base: NFT_PAYLOAD_NETWORK_HEADER,
  offset,
  length,
});

const udpTo = (family: 4 | 6, port: number) => [
  ...carriesIp(family),
  ...carries(IPPROTO.udp),
  transport(2, 2),
  equals(word(port)),
];

/**
 * RFC 4861 4.2 and 4.5. What goes to clients of DHCP is from a server, by whichever port: RFC 2131 4.1, RFC 9915 7.2.
 */
const servers: ChainPlan = {
  name: 'servers',
  rules: [
    ...tagWithinTag(DROP),
    rule('no router', icmp(6, 134), DROP),
    rule('no router', icmp(6, 137), DROP),
    rule('no DHCP server', udpTo(4, 68), DROP),
    rule('no DHCPv6 server', udpTo(6, 546), DROP),
  ],
};

const ANY4 = Buffer.alloc(4);
const ANY6 = Buffer.alloc(16);

/**
 * Addresses that are not the container's: as the source of packets, as what ARP (RFC 826) and neighbour advertisements
 * (RFC 4861 4.4) claim. Detection of duplicates asks without an address (RFC 5227 2.1.1, RFC 4862 5.4.2), and so does a
 * DHCP client.
 */
const own: readonly RulePlan[] = [
  rule('lies in ARP', carriesIp('arp'), PORT, arpSender(8, 6), notInSet('macs'), DROP),
  rule('asks without an address', carriesIp('arp'), arpSender(14, 4, 1), equals(ANY4), RETURN),
  rule('its own', carriesIp('arp'), PORT, arpSender(14, 4), inSet('bound4'), RETURN),
  rule('its own', carriesIp(4), PORT, loadAddress(4, 'source', 2), inSet('bound4'), RETURN),
  rule(
    'asks a DHCP server',
    carriesIp(4),
    loadAddress(4, 'source'),
    equals(ANY4),
    carries(IPPROTO.udp),
    transport(2, 2),
    equals(word(67)),
    RETURN,
  ),
  rule(
    'lies in neighbour discovery',
    icmp(6, 136),
    PORT,
    transport(8, 16, 2),
    notInSet('bound_targets6'),
    DROP,
  ),
  rule('its own', carriesIp(6), PORT, loadAddress(6, 'source', 2), inSet('bound6'), RETURN),
  rule('asks without an address', carriesIp(6), loadAddress(6, 'source'), equals(ANY6), RETURN),
];

const bound: ChainPlan = { name: 'bound', rules: [...own, rule('not its own', DROP)] };

const prerouting: ChainPlan = {
  name: 'prerouting',
  base: { type: 'filter', hook: NF_INET_PRE_ROUTING, priority: RAW },
  rules: [
    rule('only its own MAC address', from('checked'), PORT, sourceMac, notInSet('macs'), DROP),
    rule('only its own addresses', from('bound'), verdict(NFT_JUMP, 'bound')),
    rule('nobody to be configured by', from('containers'), verdict(NFT_JUMP, 'servers')),
  ],
};

export const FRAME_CHAINS: readonly ChainPlan[] = [servers, bound, prerouting];
