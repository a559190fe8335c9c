/**
 * The codec of nf_tables messages: whatever comes it gives a value or throws DecodeError, what it has read it writes so
 * that it reads the same again, and whatever it writes it reads back.
 */
import fc from 'fast-check';
import t from 'tap';
import { isDeepStrictEqual } from 'node:util';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { encode } from '../../lib/netlink/codec.ts';
import type { Data } from '../../lib/nftables/data.ts';
import { expression } from '../../lib/nftables/expression.ts';
import type { Expression } from '../../lib/nftables/expression.ts';
import { decodeMessage, encodeMessage, messageName } from '../../lib/nftables/message.ts';
import type { MessageName, NftMessage } from '../../lib/nftables/message.ts';
import { COMMENT_MAX_LENGTH, commentIn, commented, userdata } from '../../lib/nftables/userdata.ts';
import { commentText } from '../../lib/nftables/xt.ts';
import { readGoldens } from '../golden/golden.ts';
import { editedBytes, guarded } from './byte-edits.ts';
import { asking, edged, rounds } from './properties.ts';

const messages = ['nft.hex', 'guard.hex', 'layout.hex']
  .flatMap(readGoldens)
  .flatMap((golden) => golden.messages)
  .flatMap(({ type, data }) => {
    const name = messageName(type);
    return name === undefined ? [] : [{ name, data }];
  });

const NAMES = [...new Set(messages.map(({ name }) => name))];

/** undefined: refused. Throws for anything but DecodeError. */
function read(name: MessageName, data: Buffer): NftMessage | undefined {
  try {
    return { name, ...decodeMessage(name, guarded(data)) } as NftMessage;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** What looks at strangers' rules reads their comments, in either of two places. */
function lookAtComments({ name, body }: NftMessage): void {
  if (name !== 'NEWRULE') return;
  commentIn(body.userdata);
  for (const each of body.expressions ?? []) commentText(each);
}

for (const name of NAMES) {
  t.test(`${name}: edited messages of nft`, async (t) => {
    const seeds = messages.filter((message) => message.name === name).map(({ data }) => data);
    const counted = { read: 0, refused: 0 };
    const readsTheSame = fc.property(editedBytes(seeds), (data) => {
      const message = read(name, data);
      counted[message === undefined ? 'refused' : 'read']++;
      if (message === undefined) return true;
      lookAtComments(message);
      return isDeepStrictEqual(read(name, encodeMessage(message)), message);
    });
    fc.assert(readsTheSame, asking(2000));
    t.ok(
      Math.min(counted.read, counted.refused) > rounds(2000) / 50,
      `some of each: ${JSON.stringify(counted)}`,
    );
  });
}

const u32 = edged(32);
const u8 = edged(8);
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
/** What a C string can hold. */
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((each) => !each.includes('\0'));

function optional<T extends object>(
  fields: { [K in keyof T]: fc.Arbitrary<NonNullable<T[K]>> },
): fc.Arbitrary<T> {
  return fc.record(fields, { requiredKeys: [], noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const data: fc.Arbitrary<Data> = fc.oneof(
  optional<Data>({ value: bytes } as never),
  optional<Data>({
    verdict: optional({ code: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), chain: text, chainId: u32 }),
  } as never),
);

/** The members of every kind of expression. */
const MEMBERS: Readonly<
  Record<Exclude<Expression['kind'], 'other'>, Readonly<Record<string, fc.Arbitrary<unknown>>>>
> = {
  bitwise: { sreg: u32, dreg: u32, op: u32, length: u32, mask: data, xor: data, data },
  byteorder: { sreg: u32, dreg: u32, op: u32, length: u32, size: u32 },
  cmp: { sreg: u32, op: u32, data },
  counter: { bytes: u64, packets: u64 },
  ct: { key: u32, dreg: u32, direction: u8, sreg: u32 },
  dynset: { sregKey: u32, sregData: u32, op: u32, timeout: u64, set: text, setId: u32, flags: u32 },
  exthdr: { dreg: u32, sreg: u32, type: u8, offset: u32, length: u32, op: u32, flags: u32 },
  fib: { flags: u32, result: u32, dreg: u32 },
  immediate: { dreg: u32, data },
  lookup: { sreg: u32, dreg: u32, set: text, setId: u32, flags: u32 },
  masq: { flags: u32, protoMin: u32, protoMax: u32 },
  match: { name: text, revision: u32, info: bytes },
  meta: { key: u32, dreg: u32, sreg: u32 },
  nat: { type: u32, family: u32, addrMin: u32, addrMax: u32, protoMin: u32, protoMax: u32, flags: u32 },
  payload: {
    dreg: u32,
    base: u32,
    offset: u32,
    length: u32,
    sreg: u32,
    csumType: u32,
    csumOffset: u32,
    csumFlags: u32,
  },
  range: { sreg: u32, op: u32, from: data, to: data },
  reject: { type: u32, icmpCode: u8 },
  target: { name: text, revision: u32, info: bytes },
};

const expressions: fc.Arbitrary<Expression> = fc.oneof(
  ...Object.entries(MEMBERS).map(([kind, members]) =>
    fc
      .record(members, { requiredKeys: [], noNullPrototype: true })
      .map((values) => ({ kind, ...values }) as unknown as Expression),
  ),
);

t.test('every expression is read as it was written', async () => {
  const roundTrip = fc.property(fc.array(expressions, { maxLength: 4 }), (list) => {
    const message: NftMessage = {
      name: 'NEWRULE',
      family: 1,
      body: { table: 't', chain: 'c', expressions: list },
    };
    const again = read('NEWRULE', encodeMessage(message));
    return (
      isDeepStrictEqual(again, message) &&
      list.every((each) => isDeepStrictEqual(expression.get(encode(expression, each)), each))
    );
  });
  fc.assert(roundTrip, asking(3000));
});

t.test('userdata', async () => {
  const { codec } = userdata(1);
  const value = fc.uint8Array({ maxLength: 255 }).map((array) => Buffer.from(array));
  const entry = fc.record({ type: u8, value }, { noNullPrototype: true });
  const kept = fc.property(fc.array(entry, { maxLength: 5 }), (list) =>
    isDeepStrictEqual(codec.get(encode(codec, list)), list),
  );
  fc.assert(kept, asking(1000));
  const whateverItIs = fc.property(fc.uint8Array({ maxLength: 80 }), (array) => {
    const given = Buffer.from(array);
    const value = codec.get(given);
    commentIn(value);
    return encode(codec, value).equals(given);
  });
  fc.assert(whateverItIs, asking(2000));
  const comments = fc.string({ unit: 'binary', maxLength: 130 });
  const said = fc.property(comments, (comment) => {
    if (Buffer.byteLength(comment) <= COMMENT_MAX_LENGTH) return commentIn(commented(comment)) === comment;
    try {
      commented(comment);
      return false;
    } catch (error) {
      return error instanceof RangeError;
    }
  });
  fc.assert(said, asking(2000));
});
