/**
 * What an attachment may send, known by its MAC address: IPv4, IPv6 and ARP from its own addresses. What it may not is
 * dropped; the rest is accepted.
 */
import { word } from '../../base/transport.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import type { Expression } from '../expression.ts';
import { ETHERTYPES, IPPROTO, carries, carriesIp, transport } from '../frame-match.ts';
import { equals, loadAddress } from '../match.ts';
import type { Own, Ownership } from './ownership.ts';
import { ACCEPT, DROP, ICMP6, RETURN, chainName, framed, goTo, icmp6, jump } from './phrases.ts';
import type { Hook } from './phrases.ts';

const DHCP_SERVER_PORT = 67;

const from = (family: 4 | 6) => [
  ...carriesIp(family),
  loadAddress(family, 'source'),
  equals(Buffer.alloc(family === 4 ? 4 : 16)),
];

const rules = (own: readonly Own[], verdict: Expression): RulePlan[] =>
  own.map(({ comment, match }) => rule(comment, match, verdict));

function port4(hook: Hook, { source4, arp }: Ownership): ChainPlan[] {
  return [
    {
      name: chainName(hook, 'unspecified4'),
      rules: [
        rule(
          'a DHCP client asks',
          carriesIp(4),
          carries(IPPROTO.udp),
          transport(2, 2),
          equals(word(DHCP_SERVER_PORT)),
          ACCEPT,
        ),
        rule('memberships (RFC 3376 4.2.13)', carriesIp(4), carries(IPPROTO.igmp), ACCEPT),
        rule('IPv4 from nowhere', DROP),
      ],
    },
    {
      name: chainName(hook, 'port4'),
      rules: [
        rule('not yet configured', from(4), goTo(hook, 'unspecified4')),
        ...rules(source4, ACCEPT),
        rule('IPv4 addresses of others', DROP),
      ],
    },
    {
      name: chainName(hook, 'port_arp'),
      rules: [...rules(arp, ACCEPT), rule('ARP for addresses of others', DROP)],
    },
  ];
}

function target(hook: Hook, { target6 }: Ownership): ChainPlan {
  return {
    name: chainName(hook, 'target6'),
    rules: [...rules(target6, RETURN), rule('neighbour discovery for addresses of others', DROP)],
  };
}

function unspecified6(hook: Hook): ChainPlan {
  const accepted = (comment: string, type: number): RulePlan => rule(comment, icmp6(type), ACCEPT);
  const solicitation = icmp6(ICMP6.neighbourSolicitation);
  return {
    name: chainName(hook, 'unspecified6'),
    rules: [
      rule('duplicate address detection', solicitation, jump(hook, 'target6')),
      accepted('duplicate address detection', ICMP6.neighbourSolicitation),
      accepted('who is router here', ICMP6.routerSolicitation),
      accepted('memberships', ICMP6.listenerReport),
      accepted('memberships', ICMP6.listenerDone),
      accepted('memberships', ICMP6.listenerReport2),
      rule('IPv6 from nowhere', DROP),
    ],
  };
}

function port6(hook: Hook, own: Ownership): ChainPlan[] {
  return [
    target(hook, own),
    unspecified6(hook),
    {
      name: chainName(hook, 'source6'),
      rules: [...rules(own.source6, ACCEPT), rule('IPv6 addresses of others', DROP)],
    },
    {
      name: chainName(hook, 'port6'),
      rules: [
        rule('not yet configured', from(6), goTo(hook, 'unspecified6')),
        rule('neighbour advertisements', icmp6(ICMP6.neighbourAdvertisement), jump(hook, 'target6')),
        rule('its source', goTo(hook, 'source6')),
      ],
    },
  ];
}

export function portChains(hook: Hook, own: Ownership): ChainPlan[] {
  return [
    ...port4(hook, own),
    ...port6(hook, own),
    {
      name: chainName(hook, 'port'),
      rules: [
        rule('IPv4', framed(ETHERTYPES[4]), goTo(hook, 'port4')),
        rule('IPv6', framed(ETHERTYPES[6]), goTo(hook, 'port6')),
        rule('ARP', framed(ETHERTYPES.arp), goTo(hook, 'port_arp')),
        rule('neither IPv4 nor IPv6 nor ARP', DROP),
      ],
    },
  ];
}
