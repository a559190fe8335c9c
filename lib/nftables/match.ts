/**
 * The phrases that netmoor's rules are made of, each as the expressions nft compiles it to. Registers: 1 and 2 hold 16
 * bytes each; 8 to 15 are the four words of 1, then those of 2.
 */
import type { Family } from '../base/ip.ts';
import type { Expression } from './expression.ts';
import { NFPROTO_IPV4, NFPROTO_IPV6 } from './message.ts';
import { NFT_CMP_EQ, NFT_CMP_GTE, NFT_CMP_LTE, NFT_CMP_NEQ } from './expressions/cmp.ts';
import { NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, RTN_LOCAL } from './expressions/fib.ts';
import { NFT_REG_VERDICT } from './expressions/immediate.ts';
import { NFT_LOOKUP_F_INV } from './expressions/lookup.ts';
import { NFT_META_L4PROTO, NFT_META_NFPROTO } from './expressions/meta.ts';
import { NFT_NAT_DNAT, NFT_NAT_SNAT } from './expressions/nat.ts';
import { NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER } from './expressions/payload.ts';

/** Where the addresses are in the network header (RFC 791 3.1, RFC 8200 3). */
const ADDRESS_OFFSETS = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;
const ADDRESS_LENGTHS = { 4: 4, 6: 16 } as const;

/** linux/kernel.h numbers are the machine's own: little-endian wherever Node runs netmoor. */
function hostOrder(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function loadMeta(key: number, dreg = 1): Expression {
  return { kind: 'meta', key, dreg };
}

export function equals(value: Uint8Array): Expression {
  return { kind: 'cmp', sreg: 1, op: NFT_CMP_EQ, data: { value } };
}

/** A 16-byte interface name as registers and set keys hold it. */
export function ifnameBytes(name: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(name, 0, 15);
  return bytes;
}

/** The first and the last name that fit "eth0" or "eth*", as nft writes wildcards; not "*", which nft cannot read. */
export function ifnameSpan(pattern: string): [Buffer, Buffer] {
  const first = ifnameBytes(pattern.replace(/\*$/, ''));
  if (!pattern.endsWith('*')) return [first, first];
  const last = Buffer.alloc(16, 0xff);
  first.copy(last, 0, 0, pattern.length - 1);
  return [first, last];
}

/** `meta nfproto ipv4` or `ipv6`. */
export function ofFamily(family: Family): Expression[] {
  return [loadMeta(NFT_META_NFPROTO), equals(Buffer.from([family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6]))];
}

/** The packet's source or destination address into a register; of a family known by then. */
export function loadAddress(
  family: Family,
  which: 'source' | 'destination',
  dreg = 1,
  length: number = ADDRESS_LENGTHS[family],
): Expression {
  return {
    kind: 'payload',
    dreg,
    base: NFT_PAYLOAD_NETWORK_HEADER,
    offset: ADDRESS_OFFSETS[family][which],
    length,
  };
}

/** The layer 4 protocol and the destination port (its offset is the same in TCP, UDP and SCTP) into two registers. */
export function loadService(protocolReg: number, portReg: number): Expression[] {
  return [
    loadMeta(NFT_META_L4PROTO, protocolReg),
    { kind: 'payload', dreg: portReg, base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2 },
  ];
}

/** `and mask`, then equal to `value`: a prefix that does not end on a byte. */
export function masked(mask: Uint8Array, value: Uint8Array): Expression[] {
  const xor = { value: Buffer.alloc(mask.length) };
  return [
    { kind: 'bitwise', sreg: 1, dreg: 1, length: mask.length, mask: { value: mask }, xor },
    equals(value),
  ];
}

/** Any of `bits` set in what connection tracking knows under `key`. */
export function ctBits(key: number, bits: number): Expression[] {
  return [
    { kind: 'ct', key, dreg: 1 },
    {
      kind: 'bitwise',
      sreg: 1,
      dreg: 1,
      length: 4,
      mask: { value: hostOrder(bits) },
      xor: { value: hostOrder(0) },
    },
    { kind: 'cmp', sreg: 1, op: NFT_CMP_NEQ, data: { value: hostOrder(0) } },
  ];
}

/** What register 1 holds is in `set`. */
export function inSet(set: string): Expression {
  return { kind: 'lookup', sreg: 1, set };
}

export function notInSet(set: string): Expression {
  return { kind: 'lookup', sreg: 1, set, flags: NFT_LOOKUP_F_INV };
}

/** What the destination is to this host (linux/rtnetlink.h RTN_LOCAL and others). */
const DESTINATION_TYPE: Expression = {
  kind: 'fib',
  flags: NFTA_FIB_F_DADDR,
  result: NFT_FIB_RESULT_ADDRTYPE,
  dreg: 1,
};

/** The destination is an address of this host. */
export function toLocalAddress(): Expression[] {
  return [DESTINATION_TYPE, equals(hostOrder(RTN_LOCAL))];
}

/** Not an address of this host. */
export function notLocal(): Expression[] {
  return [DESTINATION_TYPE, { kind: 'cmp', sreg: 1, op: NFT_CMP_NEQ, data: { value: hostOrder(RTN_LOCAL) } }];
}

/** Register 1 holds one of `first` to `last`. */
export function between(first: Uint8Array, last: Uint8Array): Expression[] {
  return [
    { kind: 'cmp', sreg: 1, op: NFT_CMP_GTE, data: { value: first } },
    { kind: 'cmp', sreg: 1, op: NFT_CMP_LTE, data: { value: last } },
  ];
}

/** Redirects to the address and port, or to the address alone, that `map` holds for register 1. */
export function dnatByMap(family: Family, map: string, to: 'address' | 'service' = 'service'): Expression[] {
  return [
    { kind: 'lookup', sreg: 1, dreg: 1, set: map },
    {
      kind: 'nat',
      type: NFT_NAT_DNAT,
      family: family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
      addrMin: 1,
      // The port is the word behind the address: word 1 of register 1, or register 2.
      ...(to === 'service' && { protoMin: family === 4 ? 9 : 2 }),
    },
  ];
}

/** Gives the packet the source that `map` holds for register 1. */
export function snatByMap(family: Family, map: string): Expression[] {
  return [
    { kind: 'lookup', sreg: 1, dreg: 1, set: map },
    { kind: 'nat', type: NFT_NAT_SNAT, family: family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6, addrMin: 1 },
  ];
}

/** Ends the chain with a verdict (NF_ACCEPT …), or goes to `chain` with NFT_JUMP. */
export function verdict(code: number, chain?: string): Expression {
  return { kind: 'immediate', dreg: NFT_REG_VERDICT, data: { verdict: { code, ...(chain && { chain }) } } };
}
