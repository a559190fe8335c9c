/** Phrases for rules that see whole frames, in the families bridge and netdev; see match.ts for the registers. */
import type { Family } from '../base/ip.ts';
import { PROTOCOL_NUMBERS } from '../base/transport.ts';
import { rule } from './chain-plan.ts';
import type { RulePlan } from './chain-plan.ts';
import type { Expression } from './expression.ts';
import { NFT_CMP_LTE, NFT_CMP_NEQ } from './expressions/cmp.ts';
import { NFT_META_L4PROTO, NFT_META_PROTOCOL } from './expressions/meta.ts';
import { NFT_PAYLOAD_TRANSPORT_HEADER } from './expressions/payload.ts';
import { equals, loadMeta } from './match.ts';

/** linux/if_ether.h: Ethernet's numbers for IPv4, IPv6 and ARP. */
export const ETHERTYPES = {
  4: Buffer.from([0x08, 0x00]),
  6: Buffer.from([0x86, 0xdd]),
  arp: Buffer.from([0x08, 0x06]),
  /** IEEE 802.1Q, 802.1ad. */
  vlan: Buffer.from([0x81, 0x00]),
  service: Buffer.from([0x88, 0xa8]),
} as const;

/** IANA protocol numbers. */
export const IPPROTO = { icmp: 1, igmp: 2, fragment: 44, icmp6: 58, ...PROTOCOL_NUMBERS } as const;

export const byte = (value: number) => Buffer.from([value]);

/** Register 1 holds something else. */
export const differs = (value: Uint8Array): Expression => ({
  kind: 'cmp',
  sreg: 1,
  op: NFT_CMP_NEQ,
  data: { value },
});

export const atMost = (value: Uint8Array): Expression => ({
  kind: 'cmp',
  sreg: 1,
  op: NFT_CMP_LTE,
  data: { value },
});

/** What the kernel takes the frame for. */
export const carriesIp = (family: keyof typeof ETHERTYPES) => [
  loadMeta(NFT_META_PROTOCOL),
  equals(ETHERTYPES[family]),
];

/**
 * What stands behind a tag within a tag (the outer one the kernel has taken off) the rules do not see, but whoever
 * receives the frame may: tags of VLAN 0 are taken off, however many (__netif_receive_skb_core).
 */
export const tagWithinTag = (how: Expression): RulePlan[] =>
  (['vlan', 'service'] as const).map((tag) => rule('a tag within a tag', carriesIp(tag), how));

/** The layer 4 protocol, behind extension headers too. */
export const carries = (protocol: number) => [loadMeta(NFT_META_L4PROTO), equals(byte(protocol))];

/** Not there in fragments but the first. */
export function transport(offset: number, length = 1, dreg = 1): Expression {
  return { kind: 'payload', dreg, base: NFT_PAYLOAD_TRANSPORT_HEADER, offset, length };
}

/** ICMP, or ICMPv6, of that type. */
export const icmp = (family: Family, type: number) => [
  ...carriesIp(family),
  ...carries(family === 4 ? IPPROTO.icmp : IPPROTO.icmp6),
  transport(0),
  equals(byte(type)),
];

/** A register and a mask. */
export function and(mask: Uint8Array, register = 1): Expression {
  const xor = { value: Buffer.alloc(mask.length) };
  return {
    kind: 'bitwise',
    sreg: register,
    dreg: register,
    op: 0,
    length: mask.length,
    mask: { value: mask },
    xor,
  };
}

/** A fragment of IPv6 but the first (RFC 8200 4.5). */
export const LATER_FRAGMENT_6: readonly Expression[] = [
  ...carriesIp(6),
  { kind: 'exthdr', dreg: 1, type: IPPROTO.fragment, offset: 2, length: 2, op: 0, flags: 0 },
  and(Buffer.from([0xff, 0xf8])),
  differs(Buffer.alloc(2)),
];
