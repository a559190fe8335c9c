/**
 * netmoor's ruleset: what there is before the first container and stays the same with ten thousand. Containers and networks
 * are elements of its sets. test/golden/layout.nft says the same in nft's language, and the tests hold the two together.
 *
 * The layout has a version, kept as the tables' comment. A process that finds another version replaces the tables in one
 * transaction. Change LAYOUT_VERSION with any change of a set, a chain or a rule.
 */
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/socket.ts';
import { BRIDGE_CHAINS, INET_CHAINS } from './layout-rules.ts';
import type { ChainPlan } from './layout-rules.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET } from './message.ts';
import type { NftMessage } from './message.ts';
import { NFT_SET_CONCAT, NFT_SET_INTERVAL, NFT_SET_MAP } from './messages/set.ts';
import type { SetDefinition } from './messages/set.ts';
import { commented } from './userdata.ts';

export const TABLE = 'netmoor';
const LAYOUT_VERSION = 1;
export const LAYOUT_COMMENT = `netmoor layout ${LAYOUT_VERSION}`;

/** nft's types (datatype.h of nftables): their numbers, lengths in bytes, and whether nft reads them in host order. */
const TYPES = {
  ipv4_addr: { number: 7, length: 4, host: false },
  ipv6_addr: { number: 8, length: 16, host: false },
  ether_addr: { number: 9, length: 6, host: false },
  inet_proto: { number: 12, length: 1, host: false },
  inet_service: { number: 13, length: 2, host: false },
  ifname: { number: 41, length: 16, host: true },
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
} as const satisfies Record<string, SetPlan>;

export type SetName = keyof typeof SETS;

export function setPlan(name: SetName): SetPlan {
  return SETS[name];
}

export function isSetName(name: string): name is SetName {
  return Object.hasOwn(SETS, name);
}

export const SET_NAMES = Object.keys(SETS) as readonly SetName[];

export function chainsOf(family: number): readonly ChainPlan[] {
  return family === NFPROTO_BRIDGE ? BRIDGE_CHAINS : INET_CHAINS;
}

/** How long a field is in a concatenation: whole words of a register. */
function padded(type: TypeName): number {
  return (TYPES[type].length + 3) & ~3;
}

export function typeLength(type: TypeName): number {
  return TYPES[type].length;
}

function lengthOf(types: readonly TypeName[]): number {
  const [only] = types;
  return types.length === 1 && only ? TYPES[only].length : types.reduce((sum, type) => sum + padded(type), 0);
}

/** nft packs the types of a concatenation into six bits each. */
function numberOf(types: readonly TypeName[]): number {
  return types.reduce((sum, type) => (sum << 6) | TYPES[type].number, 0);
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

/** NFTNL_UDATA_SET_KEYBYTEORDER and _DATABYTEORDER, by which nft knows how to read keys: 1 host, 2 network, 0 a concatenation. */
function byteorder(type: number, types: readonly TypeName[]): { type: number; value: Uint8Array } {
  const [only] = types;
  const order = types.length > 1 || !only ? 0 : TYPES[only].host ? 1 : 2;
  return { type, value: Buffer.from([order, 0, 0, 0]) };
}

function definition(name: SetName, id: number): SetDefinition {
  const { key, data, interval } = setPlan(name);
  const flags = (data ? NFT_SET_MAP : 0) | (interval ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0);
  return {
    table: TABLE,
    name,
    flags,
    keyType: numberOf(key),
    keyLength: lengthOf(key),
    ...(data && { dataType: numberOf(data), dataLength: lengthOf(data) }),
    id,
    ...(interval && { description: { fields: key.map((type) => ({ length: padded(type) })) } }),
    userdata: [byteorder(0, key), ...(data ? [byteorder(1, data)] : [])],
  };
}

function chainMessage(family: number, { name, base }: ChainPlan): NftMessage {
  const hook = base && { type: base.type, policy: 1, hook: { hooknum: base.hook, priority: base.priority } };
  return { name: 'NEWCHAIN', family, flags: NLM_F_CREATE, body: { table: TABLE, name, ...hook } };
}

/** Everything of one family's table but its elements. Refused with EEXIST when another process was faster. */
export function skeleton(family: number): NftMessage[] {
  const chains = chainsOf(family);
  const sets = SET_NAMES.filter((name) => SETS[name].family === family);
  return [
    {
      name: 'NEWTABLE',
      family,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: { name: TABLE, flags: 0, userdata: commented(LAYOUT_COMMENT) },
    },
    ...chains.map((chain) => chainMessage(family, chain)),
    ...sets.map((name): NftMessage => {
      return {
        name: 'NEWSET',
        family,
        flags: NLM_F_CREATE,
        body: definition(name, SET_NAMES.indexOf(name) + 1),
      };
    }),
    ...chains.flatMap((chain) =>
      chain.rules.map(({ comment, expressions }): NftMessage => {
        const body = { table: TABLE, chain: chain.name, expressions, userdata: commented(comment) };
        return { name: 'NEWRULE', family, flags: NLM_F_CREATE | NLM_F_APPEND, body };
      }),
    ),
  ];
}
