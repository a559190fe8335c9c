import t from 'tap';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import { BOOT, attachment, port } from './ipam-record.ts';

const DAMAGE: [name: string, sql: string, words: string[]][] = [
  [
    'an attachment lost',
    "DELETE FROM attachment WHERE container = 'one'",
    ['10.1.0.2 in home', 'tcp port 80', 'exist'],
  ],
  [
    'an address lost',
    "DELETE FROM address WHERE hex(address) LIKE '%0A010002'",
    ['10.1.0.2 in home', 'home/one/eth0'],
  ],
  [
    'an address of another',
    'UPDATE address SET attachment = 2',
    ['10.1.0.2 in home is held by home/two/eth0'],
  ],
  ['a stretch lost', 'DELETE FROM run', ['10.1.0.2-10.1.0.3 in home', 'not marked']],
  [
    'a stretch too long',
    "UPDATE run SET last = x'00000000000000000000ffff0a010008'",
    ['10.1.0.2-10.1.0.8 in home'],
  ],
  ['a port lost', "DELETE FROM port WHERE protocol = 'udp'", ['udp ports 53-54 of 192.0.2.1', 'not claimed']],
  [
    'a port of nobody',
    'UPDATE port SET attachment = 77',
    ['tcp port 80 is held by an attachment that does not exist'],
  ],
  [
    'released and held',
    'INSERT INTO released SELECT scope, 1, address FROM address LIMIT 1',
    ['held and released'],
  ],
  [
    'a record of another shape',
    "UPDATE attachment SET record = '{}' WHERE id = 1",
    ['record of home/one/eth0'],
  ],
  [
    'a record that is no JSON',
    "UPDATE attachment SET record = '{' WHERE id = 1",
    ['record of home/one/eth0'],
  ],
  [
    'a record under a wrong key',
    "UPDATE attachment SET ifname = 'eth7' WHERE id = 1",
    ['record of home/one/eth7', 'it says it is home/one/eth0'],
  ],
  [
    'an unreadable address',
    `UPDATE attachment SET record = replace(record, '10.1.0.2/', '10.1.0.299/')`,
    ['10.1.0.299'],
  ],
  [
    'a network of another shape',
    `INSERT INTO network VALUES ('zoo', '{"name":"zoo"}')`,
    ['record of network zoo'],
  ],
];

t.test('check names what does not agree, and nothing else', async (t) => {
  for (const [name, sql, words] of DAMAGE) {
    const dir = t.testdir();
    const store = openStore({ dir, bootId: BOOT, hostId: '', now: Date.now });
    const [a, b] = ['10.1.0.2/24', '10.1.0.3/24'].map((address) => ({ address, scope: 'home' }));
    store.write((tx) => {
      tx.putAttachment(attachment('one', { addresses: a ? [a] : [], ports: [port('tcp 80')] }));
      tx.putAttachment(attachment('two', { addresses: b ? [b] : [], ports: [port('udp 192.0.2.1 53-54')] }));
      tx.putNetwork({
        version: RECORD_VERSION,
        name: 'home',
        plugin: 'bridge-nat',
        subnets: ['10.1.0.0/24'],
        automatic: false,
        createdAt: 1,
      });
    });
    t.same(store.read(checkStore), [], `${name}: clean before`);
    const database = new DatabaseSync(join(dir, 'leases.db'));
    database.exec(sql);
    database.close();
    const differences = store.read(checkStore).join('\n');
    for (const word of words)
      t.ok(differences.includes(word), `${name}: ${JSON.stringify(differences)} has ${word}`);
    store.close();
  }
});
