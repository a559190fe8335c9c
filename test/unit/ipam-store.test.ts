import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import { Connection } from '../../ipam/store/sqlite/connection.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { BOOT, attachment, keyOf, port } from './ipam-record.ts';
import { naming } from '../naming.ts';

function open(dir: string, bootId = BOOT): LeaseStore {
  return openStore({ dir, bootId, hostId: '', now: Date.now });
}

function failure(fn: () => unknown): NetmoorError | undefined {
  try {
    fn();
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  return undefined;
}

const home = (address: string): { address: string; scope: string } => ({ address, scope: 'home' });

t.test('reading a store that does not exist finds nothing and makes nothing', async (t) => {
  const dir = join(t.testdir(), 'var', 'netmoor');
  const store = open(dir);
  t.same(
    store.read((reader) => reader.attachments()),
    [],
  );
  t.equal(
    store.read((reader) => reader.attachments().length),
    0,
  );
  t.same(
    store.read((reader) => reader.networks()),
    [],
  );
  const first = parseAddress('10.1.0.1');
  t.same(
    store.read((reader) => reader.nextFree('home', first, first)),
    first,
  );
  t.same(store.read(checkStore), []);
  t.notOk(existsSync(dir));
});

t.test('the first write makes directory and files for their owner alone', async (t) => {
  const dir = join(t.testdir(), 'var', 'netmoor');
  const store = open(dir);
  store.write((tx) => tx.putAttachment(attachment('one')));
  const modes = readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o777]);
  t.same(statSync(dir).mode & 0o777, 0o700);
  t.same(modes, [
    ['leases.db', 0o600],
    ['leases.db-shm', 0o600],
    ['leases.db-wal', 0o600],
  ]);
  store.close();
  t.same(readdirSync(dir), ['leases.db'], 'closing folds the log in');
});

t.test('attachments are found by key and by what they are on', async (t) => {
  const store = open(t.testdir());
  const one = attachment('one', { segment: 'nm0', mtu: 1400, detail: { list: [1, { deep: null }] } });
  const two = attachment('two', { network: 'work', segment: 'nm1', plugin: 'netmoor' });
  const second = attachment('one', { network: 'work', ifname: 'eth1', segment: 'nm0' });
  store.write((tx) => {
    for (const record of [one, two, second]) tx.putAttachment(record);
  });
  store.read((reader) => {
    t.same(reader.attachment(keyOf(one)), one, 'as it was put, to the last field');
    t.equal(reader.attachment({ network: 'home', containerId: 'two', ifname: 'eth0' }), undefined);
    t.same(reader.attachments(), [one, two, second]);
    t.same(reader.attachments({ network: 'work' }), [two, second]);
    t.same(reader.attachments({ containerId: 'one' }), [one, second]);
    t.same(reader.attachments({ segment: 'nm0', network: 'work' }), [second]);
    t.same(reader.attachments({ plugin: 'netmoor' }), [two]);
    t.equal(reader.attachments({ segment: 'nm0' }).length, 2);
    t.equal(reader.attachments().length, 3);
  });
  store.write((tx) => tx.putAttachment({ ...one, state: 'detaching' }));
  store.write((tx) => tx.removeAttachment(keyOf(two)));
  store.write((tx) => tx.removeAttachment(keyOf(two)));
  t.same(
    store.read((reader) => reader.attachments().map(({ state }) => state)),
    ['detaching', 'attached'],
  );
  store.close();
});

t.test('networks', async (t) => {
  const store = open(t.testdir());
  const network: NetworkRecord = {
    version: RECORD_VERSION,
    name: 'home',
    plugin: 'bridge-nat',
    subnets: ['10.1.0.0/24'],
    automatic: true,
    createdAt: 1,
  };
  store.write((tx) => {
    tx.putNetwork({ ...network, name: 'zoo' });
    tx.putNetwork({ ...network, automatic: false });
    tx.putNetwork(network);
    tx.setCursor('home', 'set', parseAddress('10.1.0.7'));
    tx.setCursor('zoo', 'set', parseAddress('10.1.0.8'));
  });
  t.same(
    store.read((reader) => reader.networks()),
    [network, { ...network, name: 'zoo' }],
  );
  t.same(
    store.read((reader) => reader.network('home')),
    network,
  );
  store.write((tx) => {
    tx.removeNetwork('home');
    tx.removeScope('home');
  });
  store.read((reader) => {
    t.equal(reader.network('home'), undefined);
    t.equal(reader.cursor('home', 'set'), undefined, 'a network made again begins anew');
    t.same(reader.cursor('zoo', 'set'), parseAddress('10.1.0.8'));
  });
  store.close();
});

t.test('addresses are held once in a scope, and given back', async (t) => {
  const store = open(t.testdir());
  const one = attachment('one', {
    addresses: [home('10.1.0.2/24'), home('fd00::2/64'), { address: '192.0.2.9/24' }],
  });
  store.write((tx) => tx.putAttachment(one));
  const two = attachment('two', { addresses: [home('10.1.0.3/24'), home('fd00::2/64')] });
  const error = failure(() => store.write((tx) => tx.putAttachment(two)));
  t.equal(error?.kind, 'address-taken');
  t.match(error?.message, naming('fd00::2', 'home/one/eth0'));
  store.read((reader) => {
    t.equal(reader.attachment(keyOf(two)), undefined, 'nothing of the refused one stays');
    t.notOk(reader.isTaken('home', parseAddress('10.1.0.3')));
    t.same(reader.addressOwner('home', parseAddress('10.1.0.2')), keyOf(one));
    t.notOk(
      reader.isTaken('home', parseAddress('192.0.2.9')),
      'an address without scope is not ours to give',
    );
    t.notOk(reader.isTaken('work', parseAddress('10.1.0.2')), 'another scope is another world');
  });
  store.write((tx) => tx.putAttachment({ ...one, addresses: [home('10.1.0.9/24'), home('fd00::2/64')] }));
  t.notOk(
    store.read((reader) => reader.isTaken('home', parseAddress('10.1.0.2'))),
    'a changed record gives up the old',
  );
  store.write((tx) => tx.removeAttachment(keyOf(one)));
  store.read((reader) => {
    t.same(reader.countTaken('home', parseAddress('10.1.0.0'), parseAddress('10.1.0.255')), 0);
    const released = ['10.1.0.2', '10.1.0.9', 'fd00::2'].map(parseAddress);
    t.same(reader.recentlyReleased('home'), released, 'oldest first');
    t.same(
      reader.nextFree('home', parseAddress('10.1.0.2'), parseAddress('10.1.0.9')),
      parseAddress('10.1.0.3'),
    );
  });
  t.same(store.read(checkStore), []);
  store.write((tx) => tx.removeScope('home'));
  t.same(
    store.read((reader) => reader.recentlyReleased('home')),
    [],
  );
  t.same(store.read(checkStore), []);
  store.close();
});

const COLLISIONS: [held: string, wanted: string, collides: boolean][] = [
  ['tcp 80', 'tcp 80', true],
  ['tcp 80', 'udp 80', false],
  ['tcp 80', 'tcp 81', false],
  ['tcp 80', 'tcp 192.0.2.1 80', true],
  ['tcp 80', 'tcp 2001:db8::1 80', true],
  ['tcp 80', 'tcp 0.0.0.0 80', true],
  ['tcp 80', 'tcp :: 80', true],
  ['tcp 192.0.2.1 80', 'tcp 80', true],
  ['tcp 192.0.2.1 80', 'tcp 0.0.0.0 80', true],
  ['tcp 192.0.2.1 80', 'tcp :: 80', false],
  ['tcp 192.0.2.1 80', 'tcp 192.0.2.1 80', true],
  ['tcp 192.0.2.1 80', 'tcp 192.0.2.2 80', false],
  ['tcp 0.0.0.0 80', 'tcp :: 80', false],
  ['tcp 0.0.0.0 80', 'tcp 2001:db8::1 80', false],
  ['tcp :: 80', 'tcp 2001:db8::1 80', true],
  ['udp 5000-5009', 'udp 5009', true],
  ['udp 5000-5009', 'udp 5010', false],
  ['udp 5000-5009', 'udp 4990-4999', false],
  ['udp 5000-5009', 'udp 4990-5000', true],
  ['udp 5000-5009', 'udp 192.0.2.1 5004-5005', true],
  ['udp 5004', 'udp 192.0.2.1 5000-5009', true],
  ['sctp 192.0.2.1 1-65535', 'sctp 192.0.2.1 65535', true],
];

t.test('published ports collide by protocol, family, address and range', async (t) => {
  for (const [held, wanted, collides] of COLLISIONS) {
    const store = open(t.testdir());
    store.write((tx) => {
      tx.putAttachment(attachment('far', { ports: [port('tcp 1-9'), port('udp 1-9'), port('tcp 60000')] }));
      tx.putAttachment(attachment('one', { ports: [port(held)] }));
    });
    const two = attachment('two', { ports: [port('tcp 40000'), port(wanted)] });
    const error = failure(() => store.write((tx) => tx.putAttachment(two)));
    t.equal(error?.kind, collides ? 'port-taken' : undefined, `${held} held, ${wanted} wanted`);
    if (collides) t.match(error?.message, naming('home/one/eth0'));
    if (port(wanted).count === 1) {
      const owner = store.read((reader) => reader.portOwner(port(wanted)));
      t.same(owner?.containerId, collides ? 'one' : 'two', `owner of ${wanted}`);
    }
    const owners = store
      .read((reader) => reader.portOwners(port(wanted)))
      .map(({ containerId }) => containerId);
    t.equal(owners.includes('one'), collides, `owners of ${wanted}`);
    if (collides) store.write((tx) => tx.removeAttachment(attachment('one')));
    t.equal(
      failure(() => store.write((tx) => tx.putAttachment(two))),
      undefined,
      'free after its holder is gone',
    );
    t.same(store.read(checkStore), []);
    store.close();
  }
});

t.test('a record put again keeps its ports, changes them, or is refused asking twice', async (t) => {
  const store = open(t.testdir());
  const one = attachment('one', { ports: [port('tcp 80'), port('udp 53')] });
  store.write((tx) => tx.putAttachment(one));
  store.write((tx) => tx.putAttachment({ ...one, state: 'detaching' }));
  store.write((tx) => tx.putAttachment({ ...one, ports: [port('tcp 80-81')] }));
  t.equal(
    store.read((reader) => reader.portOwner(port('udp 53'))),
    undefined,
  );
  t.equal(store.read((reader) => reader.portOwner(port('tcp 81')))?.containerId, 'one');
  store.write((tx) => tx.putAttachment(attachment('two', { ports: [port('tcp 90'), port('tcp 91')] })));
  const several = store.read((reader) => reader.portOwners(port('tcp 1-65535')));
  t.same(several.map(({ containerId }) => containerId).sort(), ['one', 'two'], 'each owner once');
  const twice = { ...one, ports: [port('tcp 80'), port('tcp 192.0.2.1 80')] };
  t.equal(failure(() => store.write((tx) => tx.putAttachment(twice)))?.kind, 'port-taken');
  t.same(
    store.read((reader) => reader.attachment(keyOf(one))?.ports),
    [port('tcp 80-81')],
  );
  t.same(store.read(checkStore), []);
  store.close();
});

for (const way of ['write', 'intend'] as const) {
  t.test(`a transaction is whole or not at all: ${way}`, async (t) => {
    const store = open(t.testdir());
    const boom = new Error('boom');
    t.throws(
      () =>
        store[way]((tx) => {
          tx.putAttachment(attachment('one', { addresses: [home('10.1.0.2/24')], ports: [port('tcp 80')] }));
          throw boom;
        }),
      boom,
    );
    t.equal(
      store.read((reader) => reader.attachments().length),
      0,
    );
    t.equal(
      failure(() => store[way](async () => undefined))?.kind,
      'internal',
      'asynchronous functions are refused',
    );
    t.equal(
      failure(() => store[way]((tx) => tx.putAttachment(attachment('one')) ?? Promise.resolve()))?.kind,
      'internal',
    );
    t.equal(
      store.read((reader) => reader.attachments().length),
      0,
      'and what they did is undone',
    );
    t.equal(
      failure(() => store.write(() => store[way](() => 0)))?.kind,
      'internal',
      'no transaction inside another',
    );
    t.equal(failure(() => store[way](() => store.write(() => 0)))?.kind, 'internal');
    t.equal(failure(() => store.read(() => store[way](() => 0)))?.kind, 'internal');
    t.equal(
      store[way](() => 7),
      7,
    );
    store.close();
  });
}

t.test('what is committed unflushed is the exception, whatever becomes of it', async (t) => {
  const connection = new Connection(`${t.testdir()}/leases.db`);
  const level = () => connection.get('PRAGMA synchronous')?.['synchronous'];
  const [normal, full] = [1, 2];
  t.equal(level(), full);
  t.equal(connection.unflushed(level), normal);
  t.equal(level(), full);
  t.throws(() =>
    connection.unflushed(() => {
      throw new Error('boom');
    }),
  );
  t.equal(level(), full);
  connection.close();
});

t.test('two connections see each other only after commit', async (t) => {
  const dir = t.testdir();
  const [writer, reader] = [open(dir), open(dir)];
  writer.write((tx) => tx.putAttachment(attachment('one')));
  const during = writer.write((tx) => {
    tx.putAttachment(attachment('two'));
    return reader.read((view) => view.attachments().length);
  });
  t.equal(during, 1);
  t.equal(
    reader.read((view) => view.attachments().length),
    2,
  );
  writer.close();
  reader.close();
});

t.test('another boot frees what its dead containers held', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  before.write((tx) => {
    tx.putAttachment(attachment('one', { addresses: [home('10.1.0.2/24')], ports: [port('tcp 80')] }));
    tx.putAttachment(attachment('two', { addresses: [home('10.1.0.3/24')], bootId: 'next' }));
    tx.putNetwork({
      version: RECORD_VERSION,
      name: 'home',
      plugin: 'bridge-nat',
      subnets: ['10.1.0.0/24'],
      automatic: true,
      createdAt: 1,
    });
    tx.setCursor('home', 'set', parseAddress('10.1.0.2'));
  });
  before.close();
  const after = open(dir, 'next');
  t.equal(
    after.read((reader) => reader.attachments().length),
    2,
    'reading changes nothing',
  );
  t.throws(() =>
    after.write(() => {
      throw new Error('the transaction that noticed fails');
    }),
  );
  after.read((reader) => {
    t.same(
      reader.attachments().map(({ containerId }) => containerId),
      ['two'],
      'those of this boot stay',
    );
    t.notOk(reader.isTaken('home', parseAddress('10.1.0.2')));
    t.ok(reader.isTaken('home', parseAddress('10.1.0.3')));
    t.equal(reader.portOwner(port('tcp 80')), undefined);
    t.same(
      reader.networks().map(({ name }) => name),
      ['home'],
      'networks stay',
    );
    t.same(reader.cursor('home', 'set'), parseAddress('10.1.0.2'), 'and so does the place of round robin');
  });
  t.same(after.read(checkStore), []);
  after.close();
});
