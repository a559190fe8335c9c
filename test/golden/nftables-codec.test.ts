/**
 * The nf_tables codec against the bytes nft and iptables-nft send (test/golden/nft.hex, guard.hex and layout.hex), and
 * against nonsense.
 */
import t from 'tap';
import { DecodeError, eachAttribute } from '../../lib/netlink/attributes.ts';
import { decodeMessage, encodeMessage, messageName } from '../../lib/nftables/message.ts';
import type { NftMessage } from '../../lib/nftables/message.ts';
import { commentIn, commented } from '../../lib/nftables/userdata.ts';
import { Writer } from '../../lib/netlink/writer.ts';
import { readGoldens } from './golden.ts';

const NFNL_MSG_BATCH_END = 0x11;
const goldens = ['nft.hex', 'guard.hex', 'layout.hex'].flatMap(readGoldens);
const messages = goldens.flatMap(({ command, messages }) =>
  messages.filter(({ type }) => type > NFNL_MSG_BATCH_END).map((message) => ({ command, ...message })),
);

/**
 * The attributes of a nest in the order of their numbers: nft and iptables-nft do not agree on one among themselves.
 */
function sorted(data: Buffer): Buffer {
  const attributes: { type: number; payload: Buffer }[] = [];
  eachAttribute(data, (type, payload) =>
    attributes.push({ type, payload: type & 0x8000 ? sorted(payload) : payload }),
  );
  attributes.sort((a, b) => (a.type & 0x7fff) - (b.type & 0x7fff));
  const out = new Writer();
  for (const { type, payload } of attributes) {
    const at = out.open(type);
    out.bytes(payload);
    out.close(at);
  }
  return Buffer.from(out.written);
}

t.test('what nft and iptables-nft send is read whole, and written back to the same bytes', async (t) => {
  t.ok(messages.length > 80, 'there are goldens');
  for (const { command, type, data } of messages) {
    const name = messageName(type);
    if (name === undefined) throw new Error(`a message of type ${type} in ${command}`);
    const { family, body } = decodeMessage(name, data);
    const again = encodeMessage({ name, family, body } as NftMessage);
    t.equal(sorted(again.subarray(4)).toString('hex'), sorted(data.subarray(4)).toString('hex'), command);
    t.notMatch(
      JSON.stringify(body, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
      /"unknown"|"other"/,
      command,
    );
  }
});

t.test('comments are where nft keeps them', async (t) => {
  const said = (wanted: string) => {
    const found = messages.find(({ command }) => command.includes(wanted));
    if (found === undefined) throw new Error(`no golden for ${wanted}`);
    return { name: messageName(found.type), data: found.data };
  };
  const table = said('a\\ table');
  t.equal(table.name, 'NEWTABLE');
  t.equal(commentIn(decodeMessage('NEWTABLE', table.data).body.userdata), 'a table');
  t.equal(commentIn(decodeMessage('NEWCHAIN', said('a\\ chain').data).body.userdata), 'a chain');
  t.equal(commentIn(decodeMessage('NEWRULE', said('a\\ rule').data).body.userdata), 'a rule');
  t.equal(commentIn(decodeMessage('NEWSETELEM', said('second').data).body.elements?.[1]?.userdata), 'second');
});

t.test('a comment over nft’s limit is refused, one at the limit is not', async (t) => {
  t.equal(commentIn(commented('x'.repeat(127))), 'x'.repeat(127));
  t.throws(() => commented('x'.repeat(128)), RangeError);
  t.throws(() => commented('ü'.repeat(64)), RangeError, 'bytes count, not characters');
});

t.test('what the codec does not know is kept', async (t) => {
  const out = new Writer();
  const known = out.open(1);
  out.text('t\0');
  out.close(known);
  const strange = out.open(77 | 0x8000);
  out.u32be(1);
  out.close(strange);
  const data = Buffer.concat([Buffer.from([1, 0, 0, 0]), out.written]);
  const { family, body } = decodeMessage('NEWTABLE', data);
  t.match(body, { name: 't', unknown: [{ type: 77 | 0x8000 }] });
  t.equal(encodeMessage({ name: 'NEWTABLE', family, body }).toString('hex'), data.toString('hex'));
});

t.test('an expression of a kind the codec does not know is kept', async (t) => {
  const body = {
    table: 't',
    chain: 'c',
    expressions: [{ kind: 'other', name: 'quota', data: Buffer.from('0c0001000000000000000001', 'hex') }],
  } as const;
  const data = encodeMessage({ name: 'NEWRULE', family: 1, body });
  t.match(decodeMessage('NEWRULE', Buffer.from(data)).body.expressions, [{ kind: 'other', name: 'quota' }]);
  t.equal(
    encodeMessage({ name: 'NEWRULE', family: 1, body: decodeMessage('NEWRULE', data).body }).toString('hex'),
    data.toString('hex'),
  );
});

t.test('broken input: every truncation and many corruptions give a value or a DecodeError', async (t) => {
  let failures = 0;
  const read = (type: number, data: Buffer) => {
    const name = messageName(type);
    if (name === undefined) return;
    try {
      decodeMessage(name, data);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      failures++;
    }
  };
  let seed = 7;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  for (const { type, data } of messages) {
    for (let length = 0; length < data.length; length++) read(type, data.subarray(0, length));
    for (let round = 0; round < 50; round++) {
      const broken = Buffer.from(data);
      broken[next(broken.length)] = next(256);
      read(type, broken);
    }
  }
  t.ok(failures > messages.length, 'some of it is refused');
});

t.test('an attribute that cannot hold its payload is refused when written', async (t) => {
  const out = new Writer();
  const at = out.open(1);
  out.bytes(Buffer.alloc(70_000));
  t.throws(() => out.close(at), RangeError);
});
