/**
 * The messages that build a table of netmoor's with everything but the elements that stand for somebody. They are
 * always the same: the build encodes them once and puts the bytes in this module's place (cli/build/bundle.ts), since
 * encoding them takes longer than the kernel does.
 */
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/socket.ts';
import { anchorOf } from './anchors.ts';
import { elementMessages } from './element-messages.ts';
import type { ChainPlan } from './chain-plan.ts';
import { chainsOf } from './layout-rules.ts';
import {
  ALL_SET_NAMES,
  ASKED_MS,
  ASKED_SETS,
  TABLE,
  layoutComment,
  lengthOf,
  setPlan,
  setsOf,
} from './layout.ts';
import { TYPES } from './types.ts';
import type { SetName } from './layout.ts';
import type { TypeName } from './types.ts';
import { encodeMessage } from './message.ts';
import type { EncodedMessage, NftMessage } from './message.ts';
import {
  NFT_SET_CONCAT,
  NFT_SET_EVAL,
  NFT_SET_INTERVAL,
  NFT_SET_MAP,
  NFT_SET_TIMEOUT,
} from './messages/set.ts';
import type { SetDefinition } from './messages/set.ts';
import { typeOf } from './typeof.ts';
import { commented } from './userdata.ts';

/** nft packs the types of a concatenation into six bits each. */
function numberOf(types: readonly TypeName[]): number {
  return types.reduce((sum, type) => (sum << 6) | TYPES[type].number, 0);
}

/**
 * NFTNL_UDATA_SET_KEYBYTEORDER and _DATABYTEORDER, by which nft knows how to read keys: 1 host, 2 network, 0 a
 * concatenation.
 */
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
    ...(interval && { description: { fields: key.map((type) => ({ length: TYPES[type].length })) } }),
    userdata: [byteorder(0, key), ...(data ? [byteorder(1, data)] : []), ...typeOf(key)],
  };
}

/**
 * A set that rules fill, with 65535 elements at most, so that no flood of packets fills the memory: that is what the
 * kernel says where no size is given (nft_dynset_init), and then begins with a small table instead of one for all.
 */
function askedDefinition(name: keyof typeof ASKED_SETS, id: number): SetDefinition {
  const { key } = ASKED_SETS[name];
  return {
    table: TABLE,
    name,
    flags: NFT_SET_TIMEOUT | NFT_SET_EVAL,
    keyType: numberOf(key),
    keyLength: lengthOf(key),
    id,
    timeout: BigInt(ASKED_MS),
    userdata: [byteorder(0, key)],
  };
}

function askedMessages(family: number): NftMessage[] {
  const names = Object.keys(ASKED_SETS) as (keyof typeof ASKED_SETS)[];
  return names
    .filter((name) => ASKED_SETS[name].family === family)
    .map((name, index) => {
      const body = askedDefinition(name, ALL_SET_NAMES.length + 1 + index);
      return { name: 'NEWSET', family, flags: NLM_F_CREATE, body };
    });
}

function chainMessage(family: number, { name, base }: ChainPlan): NftMessage {
  const hook = base && { type: base.type, policy: 1, hook: { hooknum: base.hook, priority: base.priority } };
  return { name: 'NEWCHAIN', family, flags: NLM_F_CREATE, body: { table: TABLE, name, ...hook } };
}

/** Everything of one family's table but the elements that stand for somebody. */
export function skeletonMessages(family: number): NftMessage[] {
  const chains = chainsOf(family);
  const sets = setsOf(family);
  return [
    {
      name: 'NEWTABLE',
      family,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: { name: TABLE, flags: 0, userdata: commented(layoutComment(family)) },
    },
    ...chains.map((chain) => chainMessage(family, chain)),
    ...sets.flatMap((name): NftMessage[] => {
      const body = definition(name, ALL_SET_NAMES.indexOf(name) + 1);
      return [
        { name: 'NEWSET', family, flags: NLM_F_CREATE, body },
        ...elementMessages('NEWSETELEM', [anchorOf(name)], NLM_F_CREATE),
      ];
    }),
    ...askedMessages(family),
    ...chains.flatMap((chain) =>
      chain.rules.map(({ comment, expressions }): NftMessage => {
        const body = { table: TABLE, chain: chain.name, expressions, userdata: commented(comment) };
        return { name: 'NEWRULE', family, flags: NLM_F_CREATE | NLM_F_APPEND, body };
      }),
    ),
  ];
}

function encoded(messages: readonly NftMessage[]): EncodedMessage[] {
  return messages.map((message) => {
    const { name, flags = 0 } = message;
    return { name, flags, encoded: encodeMessage(message) };
  });
}

/** skeletonMessages() as bytes. Refused with EEXIST when another process was faster. */
export function skeleton(family: number): EncodedMessage[] {
  return encoded(skeletonMessages(family));
}

/**
 * How many bytes at the end of a message about a rule are compared: the comment, which ours and the kernel's end with.
 */
export const RULE_END = 16;

/** The ends of the messages of all rules, hexadecimal, in the order of the rules. */
export function ruleEnds(family: number): string[] {
  const rules = skeleton(family).filter(({ name }) => name === 'NEWRULE');
  return rules.map(({ encoded: bytes }) => Buffer.from(bytes).subarray(-RULE_END).toString('hex'));
}

/** Asks each of setsOf() for its anchor. */
export function anchorRequests(family: number): EncodedMessage[] {
  return encoded(setsOf(family).flatMap((set) => elementMessages('GETSETELEM', [anchorOf(set)])));
}
