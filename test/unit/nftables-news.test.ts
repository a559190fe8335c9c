/** What notifications of nf_tables mean for netmoor: who made a change, and of what. */
import t from 'tap';
import { encodeMessage } from '../../lib/nftables/message.ts';
import { messageType } from '../../lib/nftables/message.ts';
import type { NftMessage } from '../../lib/nftables/message.ts';
import { readNews } from '../../lib/nftables/news.ts';

const INET = 1;
const BRIDGE = 7;
const OWN_SEQ = 0xd600_0123;

function told(message: NftMessage, seq = 7): Buffer {
  const body = encodeMessage(message);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(header.length + body.length, 0);
  header.writeUInt16LE(messageType(message.name), 4);
  header.writeUInt32LE(seq, 8);
  const whole = Buffer.concat([header, body]);
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 3)]);
}

const generation = (processName: string, seq?: number): Buffer =>
  told({ name: 'NEWGEN', family: 0, body: { id: 5, processId: 1, processName } }, seq);

const OURS: readonly NftMessage[] = [
  { name: 'DELTABLE', family: INET, body: { name: 'netmoor' } },
  { name: 'NEWTABLE', family: INET, body: { name: 'netmoor', flags: 1 } },
  { name: 'DELRULE', family: INET, body: { table: 'netmoor', chain: 'postrouting', handle: 3n } },
  { name: 'DELSETELEM', family: INET, body: { table: 'netmoor', set: 'masq4', elements: [] } },
];
const WAYS: readonly NftMessage[] = [
  { name: 'NEWCHAIN', family: INET, body: { table: 'filter', name: 'forward' } },
  { name: 'NEWRULE', family: 2, body: { table: 'filter', chain: 'FORWARD' } },
  { name: 'DELRULE', family: 10, body: { table: 'filter', chain: 'FORWARD', handle: 1n } },
];
const NOTHING: readonly NftMessage[] = [
  { name: 'NEWSETELEM', family: INET, body: { table: 'netmoor', set: 'masq4', elements: [] } },
  { name: 'NEWRULE', family: BRIDGE, body: { table: 'filter', chain: 'FORWARD' } },
  { name: 'DELSETELEM', family: INET, body: { table: 'f2b', set: 'sshd', elements: [] } },
  { name: 'DELTABLE', family: INET, body: { name: 'filter' } },
];

t.test('whom a change concerns', async (t) => {
  for (const message of OURS) t.match(readNews(told(message)), { concern: 'tables' }, message.name);
  for (const message of WAYS) t.match(readNews(told(message)), { concern: 'ways' }, message.name);
  for (const message of NOTHING) t.equal(readNews(told(message)).concern, undefined, message.name);
  const all = [...NOTHING, ...OURS, ...WAYS].map((message) => told(message));
  t.same(readNews(Buffer.concat([...all, generation('nft')])), { concern: 'tables', by: 'nft' });
});

t.test('what netmoor has done itself', async (t) => {
  const all = [...OURS, ...WAYS].map((message) => told(message, OWN_SEQ));
  t.same(readNews(Buffer.concat([...all, generation('bridge-nat', OWN_SEQ)])), { concern: undefined });
});

t.test('what cannot be read may be anything', async (t) => {
  const good = told(OURS[0] as NftMessage, OWN_SEQ);
  t.same(readNews(Buffer.alloc(0)), { concern: undefined });
  for (let length = 1; length < 16; length++)
    t.match(readNews(good.subarray(0, length)), { concern: 'tables' }, `${length} bytes`);
  t.match(readNews(good.subarray(0, good.length - 4)), { concern: 'tables' });
  const long = Buffer.from(told(OURS[0] as NftMessage));
  long.writeUInt16LE(0xffff, 20);
  t.match(readNews(long), { concern: undefined }, 'a name that cannot be read is not ours');
});
