/**
 * netmoor's ruleset: its sets (layout-sets.ts), whose elements containers and networks are, and how their keys are put
 * together. What stays the same with ten thousand of them is in layout-rules.ts. test/golden/layout.nft says all of it
 * in nft's language, and the tests hold the two together.
 *
 * The layout has a version, kept as the tables' comment. A process that finds another version replaces the tables in
 * one transaction. Change LAYOUT_VERSION with any change of a set, a chain or a rule.
 */
import { GUARD_LAYOUT_VERSION, GUARD_SETS } from './guard/sets.ts';
import { SETS } from './layout-sets.ts';
import type { SetPlan } from './layout-sets.ts';
import { NFPROTO_BRIDGE, NFPROTO_NETDEV } from './message.ts';
import { TYPES } from './types.ts';
import type { TypeName } from './types.ts';

export const TABLE = 'netmoor';
const LAYOUT_VERSION = 5;

export function layoutComment(family: number): string {
  return `netmoor layout ${family === NFPROTO_NETDEV ? GUARD_LAYOUT_VERSION : LAYOUT_VERSION}`;
}

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
