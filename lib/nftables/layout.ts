/**
 * The sets of netmoor's ruleset, whose elements containers and networks are. What stays the same with ten thousand of
 * them is in layout-rules.ts. test/golden/layout.nft says all of it in nft's language, and the tests hold the two
 * together.
 *
 * The layout has a version, kept as the tables' comment. A process that finds another version replaces the tables in
 * one transaction. Change LAYOUT_VERSION with any change of a set, a chain or a rule.
 */
import { GUARD_LAYOUT_VERSION, GUARD_SETS } from './guard/sets.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET, NFPROTO_NETDEV } from './message.ts';

export const TABLE = 'netmoor';
const LAYOUT_VERSION = 3;

export function layoutComment(family: number): string {
  return `netmoor layout ${family === NFPROTO_NETDEV ? GUARD_LAYOUT_VERSION : LAYOUT_VERSION}`;
}

/**
 * nft's types (datatype.h of nftables): their numbers, lengths in bytes, and whether nft reads them in host order.
 * Those that have a number for nft, but no type, are parts of the transport header: `bits` into it.
 */
export const TYPES = {
  ipv4_addr: { number: 7, length: 4, host: false },
  ipv6_addr: { number: 8, length: 16, host: false },
  ether_addr: { number: 9, length: 6, host: false },
  inet_proto: { number: 12, length: 1, host: false },
  inet_service: { number: 13, length: 2, host: false },
  iface_index: { number: 20, length: 4, host: true },
  ifname: { number: 41, length: 16, host: true },
  nd_target: { number: 4, length: 16, host: false, bits: 64 },
  nd_target_prefix: { number: 4, length: 8, host: false, bits: 64 },
  nd_target_id: { number: 4, length: 8, host: false, bits: 128 },
} as const;

export type TypeName = keyof typeof TYPES;

interface SetPlan {
  readonly family: number;
  readonly key: readonly TypeName[];
  readonly data?: readonly TypeName[];
  readonly interval?: boolean;
  /** Whose its elements are: one attachment's, or those of everything on a bridge. */
  readonly of: 'attachment' | 'bridge';
}

function plan(
  family: number,
  of: SetPlan['of'],
  key: readonly TypeName[],
  more: Partial<SetPlan> = {},
): SetPlan {
  return { family, of, key, ...more };
}

const attachment = (key: readonly TypeName[], data?: readonly TypeName[]) =>
  plan(NFPROTO_INET, 'attachment', key, data && { data });
const bridge = (key: readonly TypeName[]) => plan(NFPROTO_INET, 'bridge', key);

/** Intervals cost more the more there are of them (the kernel copies the set to change it): only bridges have some. */
const intervals = (key: readonly TypeName[]) => plan(NFPROTO_INET, 'bridge', key, { interval: true });

export const SETS = {
  masq4: attachment(['ipv4_addr']),
  masq6: attachment(['ipv6_addr']),
  publish4: attachment(['inet_proto', 'inet_service'], ['ipv4_addr', 'inet_service']),
  publish6: attachment(['inet_proto', 'inet_service'], ['ipv6_addr', 'inet_service']),
  publish4_host: attachment(['ipv4_addr', 'inet_proto', 'inet_service'], ['ipv4_addr', 'inet_service']),
  publish6_host: attachment(['ipv6_addr', 'inet_proto', 'inet_service'], ['ipv6_addr', 'inet_service']),
  bridges: bridge(['ifname']),
  inside4: intervals(['ifname', 'ipv4_addr']),
  inside6: intervals(['ifname', 'ipv6_addr']),
  guarded: bridge(['ifname']),
  same_bridge: bridge(['ifname', 'ifname']),
  checked: plan(NFPROTO_BRIDGE, 'attachment', ['ifname']),
  macs: plan(NFPROTO_BRIDGE, 'attachment', ['ifname', 'ether_addr']),
  isolated: plan(NFPROTO_BRIDGE, 'attachment', ['ifname']),
} as const satisfies Record<string, SetPlan>;

/** Filled by rules, with what is nobody's in particular: which UDP answers isolated containers wait for. */
export const ASKED_SETS = {
  asked4: { family: NFPROTO_BRIDGE, key: ['ipv4_addr', 'ipv4_addr', 'inet_service', 'inet_service'] },
  asked6: { family: NFPROTO_BRIDGE, key: ['ipv6_addr', 'ipv6_addr', 'inet_service', 'inet_service'] },
} as const;

/**
 * How long an answer may take: what connection tracking allows an answered UDP flow (nf_conntrack_udp_timeout_stream,
 * 180 s in older kernels).
 */
export const ASKED_MS = 180_000;

type AttachedSet = keyof typeof SETS;
export type GuardSet = keyof typeof GUARD_SETS;
export type SetName = AttachedSet | GuardSet;

const PLANS: Readonly<Record<SetName, SetPlan>> = { ...SETS, ...GUARD_SETS };

export function setPlan(name: SetName): SetPlan {
  return PLANS[name];
}

/** The sets of the tables that attachments to bridges need. */
export const SET_NAMES = Object.keys(SETS) as readonly AttachedSet[];

/** The sets of the table that guards the masters of macvlan networks. */
export const GUARD_SET_NAMES = Object.keys(GUARD_SETS) as readonly GuardSet[];

export const ALL_SET_NAMES: readonly SetName[] = [...SET_NAMES, ...GUARD_SET_NAMES];

/** The sets of the table of one family. */
export function setsOf(family: number): SetName[] {
  return ALL_SET_NAMES.filter((name) => PLANS[name].family === family);
}

/** How long a field is in a concatenation: whole words of a register. */
export function padded(type: TypeName): number {
  return (TYPES[type].length + 3) & ~3;
}

export function lengthOf(types: readonly TypeName[]): number {
  const [only] = types;
  return types.length === 1 && only ? TYPES[only].length : types.reduce((sum, type) => sum + padded(type), 0);
}

/** Fields side by side, each filled up to a whole word. */
export function concatenate(types: readonly TypeName[], fields: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(lengthOf(types));
  let at = 0;
  types.forEach((type, index) => {
    const field = fields[index];
    if (field?.length !== TYPES[type].length)
      throw new RangeError(`${type} has ${TYPES[type].length} bytes, not ${field?.length}`);
    bytes.set(field, at);
    at += padded(type);
  });
  return bytes;
}

/** The reverse of concatenate(); undefined when `bytes` has another length. */
export function fieldsOf(types: readonly TypeName[], bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes.length !== lengthOf(types)) return undefined;
  let at = 0;
  return types.map((type) => {
    const field = bytes.subarray(at, at + TYPES[type].length);
    at += padded(type);
    return field;
  });
}
