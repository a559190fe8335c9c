/** netmoor's ruleset against the messages nft sends for test/golden/layout.nft. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { STAGES } from '../../cli/build/paths.ts';
import { concatenate, fieldsOf } from '../../lib/nftables/layout.ts';
import type { Expression } from '../../lib/nftables/expression.ts';
import { skeleton, skeletonMessages } from '../../lib/nftables/skeleton.ts';
import {
  NFPROTO_BRIDGE,
  NFPROTO_INET,
  NFPROTO_NETDEV,
  decodeMessage,
  encodeMessage,
  messageName,
  messageType,
} from '../../lib/nftables/message.ts';
import type { NftMessage } from '../../lib/nftables/message.ts';
import { readGoldens } from './golden.ts';

/**
 * nft swaps the bytes of the fields of intervals (nft_byteorder), also where there is a single one: NFTA_BYTEORDER_LEN
 * 1, of which the kernel makes nothing.
 */
function swapsNothing(expression: Expression): boolean {
  return expression.kind === 'byteorder' && expression.length === 1;
}

/** What nft says of a set that rules fill, as the kernel would without being told. */
const KERNELS_SIZE = { size: 65535 };

/**
 * One message as text, without what nft adds: sets referred to by number beside their name, notes for itself about
 * their types, and a size.
 */
function comparable(name: string, { family, body }: { family: number; body: object }): string {
  const text = JSON.stringify({ name, family, body }, (key, value: unknown) => {
    if (key === 'setId' || key === 'id') return undefined;
    if (key === 'userdata' && name === 'NEWSET') return undefined;
    if (key === 'description' && isDeepStrictEqual(value, KERNELS_SIZE)) return undefined;
    if (key === 'expressions') return (value as Expression[]).filter((each) => !swapsNothing(each));
    if (typeof value === 'bigint') return String(value);
    return value;
  });
  return text;
}

function ours(message: NftMessage): string {
  return comparable(message.name, decodeMessage(message.name, Buffer.from(encodeMessage(message))));
}

function goldenMessages(file: string): string[] {
  const [golden] = readGoldens(file);
  return (golden?.messages ?? []).flatMap(({ type, data }) => {
    const name = messageName(type);
    return name === undefined ? [] : [comparable(name, decodeMessage(name, data))];
  });
}

t.test('message by message, the skeleton is what nft makes of layout.nft', async (t) => {
  const theirs = goldenMessages('layout.hex');
  t.ok(theirs.length > 40, 'there is a golden');
  t.strictSame([...skeletonMessages(NFPROTO_INET), ...skeletonMessages(NFPROTO_BRIDGE)].map(ours), theirs);
});

t.test('and the guard is what nft makes of guard.nft', async (t) => {
  const theirs = goldenMessages('guard.hex');
  t.ok(theirs.length > 100, 'there is a golden');
  t.strictSame(skeletonMessages(NFPROTO_NETDEV).map(ours), theirs);
});

t.test('nft reads keys that have no type as the guard says it does', async (t) => {
  const userdata = (messages: readonly { type: number; data: Buffer }[]) =>
    messages
      .flatMap(({ type, data }) =>
        messageName(type) === 'NEWSET' ? [decodeMessage('NEWSET', data).body] : [],
      )
      .flatMap(({ name, userdata }) => (name?.includes('target') ? [userdata] : []));
  const [golden] = readGoldens('guard.hex');
  const theirs = userdata(golden?.messages ?? []);
  const made = skeleton(NFPROTO_NETDEV).map(({ name, encoded }) => ({
    type: messageType(name),
    data: Buffer.from(encoded),
  }));
  t.equal(theirs.length, 4);
  t.strictSame(userdata(made), theirs);
});

t.test('the executable carries the bytes of just these messages', async (t) => {
  for (const { source } of STAGES) {
    const text = readFileSync(source, 'latin1');
    const encoded = [NFPROTO_INET, NFPROTO_BRIDGE, NFPROTO_NETDEV].flatMap(skeleton);
    const missing = encoded.filter(
      (message) => !text.includes(Buffer.from(message.encoded).toString('base64')),
    );
    t.strictSame(missing, [], source);
  }
});

t.test('concatenations: each field fills whole words, and comes back', async (t) => {
  const key = concatenate(['inet_proto', 'inet_service'], [Buffer.from([6]), Buffer.from([0, 80])]);
  t.equal(key.toString('hex'), '0600000000500000');
  t.strictSame(fieldsOf(['inet_proto', 'inet_service'], key), [Buffer.from([6]), Buffer.from([0, 80])]);
  t.equal(
    concatenate(['inet_service'], [Buffer.from([0, 80])]).toString('hex'),
    '0050',
    'a single field is not filled up',
  );
  t.equal(fieldsOf(['ipv4_addr'], Buffer.alloc(5)), undefined);
  t.throws(() => concatenate(['ipv4_addr'], [Buffer.alloc(16)]), RangeError);
});
