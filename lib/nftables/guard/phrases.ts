/**
 * The phrases that the guard's rules are made of. A key is loaded into the words of the registers one behind the other:
 * the master into word 0 (register 8), the MAC address into 1 and 2, what follows from 3 on.
 */
import { NF_ACCEPT, NF_DROP, NFT_GOTO, NFT_JUMP, NFT_RETURN } from '../data.ts';
import type { Expression } from '../expression.ts';
import { NFT_META_IIF, NFT_META_IIFTYPE, NFT_META_OIF } from '../expressions/meta.ts';
import {
  NFT_PAYLOAD_LL_HEADER,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
} from '../expressions/payload.ts';
import { and, carriesIp, icmp } from '../frame-match.ts';
import { equals, inSet, loadMeta, notInSet, verdict } from '../match.ts';
import type { GuardSet } from '../layout.ts';

/** Which hook of the master's a frame passes. */
export type Hook = 'ingress' | 'egress';

export const ACCEPT = verdict(NF_ACCEPT);
export const RETURN = verdict(NFT_RETURN);
/** Counted, so that a person sees what was refused. */
export const DROP: readonly Expression[] = [{ kind: 'counter' }, verdict(NF_DROP)];

/** Chains of the same purpose are there for both hooks, as the two know the master by different names. */
export function chainName(hook: Hook, name: string): string {
  return `${hook}_${name}`;
}

export const goTo = (hook: Hook, name: string) => verdict(NFT_GOTO, chainName(hook, name));
export const jump = (hook: Hook, name: string) => verdict(NFT_JUMP, chainName(hook, name));

const [AFTER_MASTER, AFTER_MAC, AFTER_SECOND_MAC] = [9, 11, 13];

function payload(base: number, offset: number, length: number, dreg: number): Expression {
  return { kind: 'payload', dreg, base, offset, length };
}

export const ethernetSource = (dreg: number) => payload(NFT_PAYLOAD_LL_HEADER, 6, 6, dreg);
/**
 * linux/if_arp.h ARPHRD_ETHER. Only behind this comparison nft knows what the bytes of the link layer mean; at egress
 * too it is the type of the master.
 */
const ON_ETHERNET = [loadMeta(NFT_META_IIFTYPE), equals(Buffer.from([1, 0]))];

/** What the frame says it carries, whatever the kernel takes it for. */
const ETHERTYPE = payload(NFT_PAYLOAD_LL_HEADER, 12, 2, 1);
export const framed = (type: Uint8Array) => [...ON_ETHERNET, ETHERTYPE, equals(type)];
export const VLAN_TCI = payload(NFT_PAYLOAD_LL_HEADER, 14, 2, 1);

export const master = (hook: Hook) => loadMeta(hook === 'egress' ? NFT_META_OIF : NFT_META_IIF);
const key = (hook: Hook) => [master(hook), ethernetSource(AFTER_MASTER)];
/** The key of sets of MAC addresses, and where those of others begin. */
export const sender = (hook: Hook) => [...ON_ETHERNET, ...key(hook)];

export const isIn = (set: GuardSet) => inSet(set);
export const isNotIn = (set: GuardSet) => notInSet(set);

const network = (offset: number, length: number, dreg: number) =>
  payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length, dreg);

/** Ethernet and IPv4 (RFC 826): types 1 and 0x0800, lengths 6 and 4. */
export const ARP_HEADER = [
  network(0, 4, 1),
  equals(Buffer.from('00010800', 'hex')),
  network(4, 2, 1),
  equals(Buffer.from('0604', 'hex')),
];
/** The sender's MAC address and behind it the IP address. */
export const arpSender = (bytes: Uint8Array) => [network(8, 10, 1), equals(bytes)];

/** The keys of own4, of an IPv4 packet and of an ARP packet. */
export const own4 = (hook: Hook) => [
  ...carriesIp(4),
  ...sender(hook),
  ethernetSource(AFTER_MAC),
  network(12, 4, AFTER_SECOND_MAC),
];
export const ownArp = (hook: Hook) => [
  ...carriesIp('arp'),
  ...ARP_HEADER,
  ...sender(hook),
  network(8, 6, AFTER_MAC),
  network(14, 4, AFTER_SECOND_MAC),
];

/** The keys of held4. */
export const held4 = (hook: Hook) => [...carriesIp(4), master(hook), network(12, 4, AFTER_MASTER)];
export const heldArp = (hook: Hook) => [...carriesIp('arp'), master(hook), network(14, 4, AFTER_MASTER)];

export const LOWER_HALF = Buffer.from('0000000000000000ffffffffffffffff', 'hex');
export const UPPER_HALF = Buffer.from('ffffffffffffffff0000000000000000', 'hex');

/** The source address, or a part of it, in register 1. */
export const source = (family: 4 | 6, offset = 0, length = family === 4 ? 4 : 16) =>
  network((family === 4 ? 12 : 8) + offset, length, 1);
const source6 = (dreg: number) => network(8, 16, dreg);
/** The keys of own6, of ids6 and of prefixes6. */
export const own6 = (hook: Hook) => [...carriesIp(6), ...sender(hook), source6(AFTER_MAC)];
export const id6 = (hook: Hook) => [...own6(hook), and(LOWER_HALF, AFTER_MAC)];
export const prefix6 = (hook: Hook) => [...key(hook), source6(AFTER_MAC), and(UPPER_HALF, AFTER_MAC)];
export const held6 = (hook: Hook) => [...carriesIp(6), master(hook), source6(AFTER_MASTER)];

/** RFC 4861 4.3, 4.4: where the target is in neighbour solicitations and advertisements. */
export const target = (offset: number, length: number, dreg = 1) =>
  payload(NFT_PAYLOAD_TRANSPORT_HEADER, 8 + offset, length, dreg);
export const ownTarget = (hook: Hook) => [...sender(hook), target(0, 16, AFTER_MAC)];
export const targetId = (hook: Hook) => [...sender(hook), target(8, 8, AFTER_MAC)];
export const targetPrefix = (hook: Hook) => [...key(hook), target(0, 8, AFTER_MAC)];
export const heldTarget = (hook: Hook) => [master(hook), target(0, 16, AFTER_MASTER)];

export const icmp6 = (type: number) => icmp(6, type);

/** RFC 4861 4, RFC 2710 3, RFC 3810 5. */
export const ICMP6 = {
  listenerReport: 131,
  listenerDone: 132,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
  listenerReport2: 143,
} as const;
