/**
 * Who may play router or DHCP server. These rules see every frame of an attachment, and on the way out of the master
 * those of everybody but the sockets of the host: a container may change its MAC address.
 *
 * What a router says counts only when a receiver sees it, so the rules have to see it too: behind extension headers
 * (nft's l4proto is what stands behind them all), and in the first of several fragments. A first fragment that does not
 * reach into the layer 4 header is refused, as RFC 7112 5 allows: nobody needs it but who hides something. Later
 * fragments are nothing without the first.
 */
import type { Family } from '../../base/ip.ts';
import { word } from '../../base/transport.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import type { Expression } from '../expression.ts';
import { NFT_META_L4PROTO } from '../expressions/meta.ts';
import {
  IPPROTO,
  LATER_FRAGMENT_6,
  atMost,
  byte,
  carries,
  carriesIp,
  differs,
  transport,
} from '../frame-match.ts';
import { equals, loadMeta } from '../match.ts';
import { DROP, ICMP6, RETURN, chainName, goTo, icmp6 } from './phrases.ts';
import type { Hook } from './phrases.ts';

/** RFC 2131 4.1, RFC 8415 7.2. */
const DHCP_PORTS = { 4: { server: 67, client: 68 }, 6: { server: 547, client: 546 } } as const;
/** IANA protocol numbers: reserved, for no packet. */
const RESERVED = 255;

const HIDDEN = 'first fragments that hide what they carry';

function dhcp(family: Family, refused: readonly Expression[] | undefined): RulePlan[] {
  if (refused === undefined) return [];
  const { server, client } = DHCP_PORTS[family];
  const udp = [...carriesIp(family), ...carries(IPPROTO.udp)];
  return [
    rule('answers of DHCP servers to clients', udp, transport(2, 2), equals(word(client)), refused),
    rule('answers of DHCP servers to relays', udp, transport(0, 2), equals(word(server)), refused),
  ];
}

/** The rest of a chain for packets whose layer 4 header must be there. */
function whole(protocol: number): RulePlan[] {
  const there = [...carriesIp(6), ...carries(protocol), transport(0, 4), atMost(Buffer.alloc(4, 0xff))];
  return [rule('those whose layer 4 header is there', there, RETURN), rule(HIDDEN, DROP)];
}

/** How a rule for what a router or a server says goes on; where there is nothing, anyone may be one. */
export interface Refused {
  readonly router?: readonly Expression[];
  readonly dhcpServer?: readonly Expression[];
}

export function roleChains(hook: Hook, { router, dhcpServer }: Refused): ChainPlan[] {
  const routing = (comment: string, type: number): RulePlan[] =>
    router ? [rule(comment, icmp6(type), router)] : [];
  return [
    { name: chainName(hook, 'roles4'), rules: dhcp(4, dhcpServer) },
    {
      name: chainName(hook, 'roles6_icmp'),
      rules: [
        ...routing('router advertisements', ICMP6.routerAdvertisement),
        ...routing('redirects', ICMP6.redirect),
        ...whole(IPPROTO.icmp6),
      ],
    },
    { name: chainName(hook, 'roles6_udp'), rules: [...dhcp(6, dhcpServer), ...whole(IPPROTO.udp)] },
    {
      name: chainName(hook, 'roles6'),
      rules: [
        rule('later fragments', LATER_FRAGMENT_6, RETURN),
        rule('ICMPv6', carriesIp(6), carries(IPPROTO.icmp6), goTo(hook, 'roles6_icmp')),
        rule('UDP', carriesIp(6), carries(IPPROTO.udp), goTo(hook, 'roles6_udp')),
        rule(
          'other protocols, where it can be told',
          loadMeta(NFT_META_L4PROTO),
          differs(byte(RESERVED)),
          RETURN,
        ),
        rule(HIDDEN, DROP),
      ],
    },
  ];
}
