/** What the store keeps of DHCP leases: by key, whatever attachments there are, over boots; what check says of it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { BOOT, attachment } from './ipam-record.ts';
import { dhcpLease, lease4, lease6 } from './dhcp-record.ts';
import { naming } from '../naming.ts';

function open(dir: string, bootId = BOOT): LeaseStore {
  return openStore({ dir, bootId, hostId: '', now: Date.now });
}

function keep(store: LeaseStore, ...records: DhcpLeaseRecord[]): void {
  store.write((tx) => {
    for (const record of records) tx.putDhcpLease(record);
  });
}

const all = (store: LeaseStore): DhcpLeaseRecord[] => store.read((tx) => tx.dhcpLeases());
const one = dhcpLease('one', { v4: lease4() });
const two = dhcpLease('two', { v4: lease4({ address: '192.0.2.8/24' }), v6: lease6() });

t.test('kept, replaced, removed by key', async (t) => {
  const dir = t.testdir();
  const store = open(join(dir, 'store'));
  t.same(all(store), [], 'none before the first write');
  t.equal(
    store.read((tx) => tx.dhcpLease(one)),
    undefined,
  );
  keep(store, one, two);
  t.strictSame(
    store.read((tx) => tx.dhcpLease(one)),
    one,
  );
  t.strictSame(
    all(store).sort((a, b) => (a.containerId < b.containerId ? -1 : 1)),
    [one, two],
  );
  const gone = { ...one, gone: 'its namespace is' };
  keep(store, gone);
  store.write((tx) => tx.removeDhcpLease(two));
  store.write((tx) => tx.removeDhcpLease(two));
  t.strictSame(all(store), [gone]);
  for (const other of [{ network: 'x' }, { ifname: 'x' }, { containerId: 'x' }])
    t.equal(
      store.read((tx) => tx.dhcpLease({ ...one, ...other })),
      undefined,
    );
});

t.test('attachments come and go beside it', async (t) => {
  const store = open(t.testdir());
  const own = attachment('one', { network: one.network });
  keep(store, one);
  store.write((tx) => tx.putAttachment(own));
  store.write((tx) => tx.removeAttachment(own));
  t.strictSame(all(store), [one], 'its engine gives it back');
  t.same(store.read(checkStore), []);
});

t.test('those of another boot stay', async (t) => {
  const dir = t.testdir();
  const before = open(dir, 'an earlier boot');
  keep(before, { ...one, bootId: 'an earlier boot' });
  before.write((tx) => tx.putAttachment(attachment('one', { bootId: 'an earlier boot' })));
  before.close();
  const store = open(dir);
  store.write((tx) => tx.putAttachment(attachment('two')));
  t.match(all(store), [{ containerId: 'one', bootId: 'an earlier boot' }]);
});

const DAMAGE: [name: string, sql: string, words: string[]][] = [
  ['no JSON', "UPDATE dhcp_lease SET record = '{'", ['lan/one/eth0', 'cannot be read']],
  ['no object', "UPDATE dhcp_lease SET record = '[]'", ['lan/one/eth0', 'cannot be read']],
  [
    'a member lost',
    "UPDATE dhcp_lease SET record = json_remove(record, '$.netns')",
    ['lan/one/eth0', 'netns'],
  ],
  ['a wrong key', "UPDATE dhcp_lease SET ifname = 'eth7'", ['lan/one/eth7', 'it says it is lan/one/eth0']],
];

for (const [name, sql, words] of DAMAGE) {
  t.test(`${name}: named by check, passed over by everybody else, removed by its key`, async (t) => {
    const dir = t.testdir();
    const store = open(dir);
    keep(store, one);
    store.close();
    const database = new DatabaseSync(join(dir, 'leases.db'));
    database.exec(sql);
    database.close();
    t.match(store.read(checkStore), [naming(...words)]);
    t.same(all(store), []);
    const key = { ...one, ifname: name === 'a wrong key' ? 'eth7' : 'eth0' };
    t.equal(
      store.read((tx) => tx.dhcpLease(key)),
      undefined,
    );
    store.write((tx) => tx.removeDhcpLease(key));
    t.same(store.read(checkStore), []);
  });
}

t.test('a record of a later version, with more in it, is kept as it is', async (t) => {
  const store = open(t.testdir());
  const later = { ...one, version: 2, colour: 'blue' };
  keep(store, later);
  t.strictSame(all(store), [later]);
});
