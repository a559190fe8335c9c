/** A network of bridge-nat with `dhcpServer`: real clients beside containers, out of one pool. */
import t from 'tap';
import { NODE } from '../../cli/build/paths.ts';
import { lacking, until, withHost } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { asked, netmoor } from '../kernel/netmoor-command.ts';
import { DhcpClient, dhcpcd, networkd, udhcpc } from './clients.ts';
import { BRIDGE, LAB, clientIds, guest, has, isAnswered, killEngine, leased, macOf } from './guests.ts';

const skip = lacking('busybox', 'dhcpcd') ?? false;
t.setTimeout(180_000);
t.jobs = 2;

/** As if a process had died over taking down what clients have. */
const HALF_DONE = `const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync('/var/lib/cni/netmoor/leases.db');
  database.exec("UPDATE attachment SET record = json_set(record, '$.state', 'detaching') WHERE ifname = 'dhcp'");`;

const INSIDE = /^10\.77\.0\.\d+$/;
const ASKS = udhcpc('-O', 'search', '-O', 'mtu', '-x', 'hostname:boat');

t.test('three programs and two containers share one address plan', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    const first = await network.container('c1');
    const kinds = {
      boat: ASKS,
      dhcpcd: dhcpcd([], '-4'),
      networkd: networkd('[Network]', 'DHCP=ipv4', 'IPv6AcceptRA=no'),
    };
    const clients: DhcpClient[] = [];
    for (const [name, kind] of Object.entries(kinds))
      clients.push(await DhcpClient.start(host, await guest(host, name), kind));
    const addresses = await Promise.all(clients.map(async (client) => client.bound()));
    const second = await network.container('c2');
    const all = [first.ip4, second.ip4, ...addresses];
    for (const address of addresses) t.match(address, INSIDE);
    t.equal(new Set(all).size, 5, `nobody shares: ${all.join(' ')}`);
    t.match(clients[0]?.given(), {
      router: '10.77.0.1',
      dns: '10.77.0.53',
      domain: 'lab.example',
      search: 'lab.example b.example',
      mtu: '1500',
      lease: '3600',
      serverid: '10.77.0.1',
    });
    for (const { place } of clients) {
      await place.must(['ping', '-c1', '-W2', second.ip4]);
      await place.must(['ping', '-c1', '-W2', '203.0.113.1']);
    }
    const onRecord = await leased(host);
    t.same(Object.values(onRecord).toSorted(), all.map((address) => `${address}/24`).toSorted());
    t.equal((await netmoor(host, 'check')).code, 0, 'all is as promised');
    const { out } = await netmoor(host, 'engine', 'status', '--json');
    t.match(JSON.parse(out), { leases: 3 });
    t.same((await asked(host, 'gc')).view.garbage, [], 'and nothing of it is garbage');
    const swept = await network.whole('GC', { 'cni.dev/valid-attachments': [] });
    t.equal(swept.code, 0);
    t.equal((await clientIds(host)).length, 3, 'a runtime does not vouch for clients');
  });
});

t.test('a lease is renewed, and ends when nobody renews it; then the bridge goes', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...LAB, dhcpServer: { leaseSeconds: 10 } });
    await network.container('c1');
    const client = await DhcpClient.start(host, await guest(host, 'boat'), ASKS);
    const address = await client.bound();
    const [id = ''] = await clientIds(host);
    await network.del('c1');
    t.ok(await has(host, BRIDGE), 'the bridge stays for the guest');
    await until(
      () => (client.text.match(/lease of .* obtained/g)?.length ?? 0) > 2 || undefined,
      'two renewals',
      30_000,
    );
    t.equal(await client.address(), address);
    t.equal(client.text.match(/broadcasting select/g)?.length, 1, 'and asked for once');
    t.equal((await leased(host))[id], `${address}/24`);
    await client.stop();
    await host.must(['ip', 'link', 'delete', 'tap-boat']);
    await until(async () => !(await has(host, BRIDGE)) || undefined, 'the end of the bridge', 40_000);
    t.same(await leased(host), {});
  });
});

t.test(
  'an address that is given back is free, and the server stays for who is plugged in',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, LAB);
      await network.container('c1');
      const place = await guest(host, 'boat');
      const client = await DhcpClient.start(host, place, dhcpcd([], '-4'));
      const address = await client.bound();
      await network.del('c1');
      await client.release();
      await until(async () => (await clientIds(host)).length === 0 || undefined, 'RELEASE');
      await client.stop();
      await client.start();
      t.equal(await client.bound(), address, 'who asks again gets his address again');
    });
  },
);

t.test('the engine is killed, and another goes on', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...LAB, dhcpServer: { leaseSeconds: 10 } });
    await network.container('c1');
    const client = await DhcpClient.start(host, await guest(host, 'boat'), ASKS);
    const address = await client.bound();
    await killEngine(host);
    await network.container('c2');
    const before = client.text.length;
    await until(
      () => /lease of .* obtained/.test(client.text.slice(before)) || undefined,
      'renewal by the new engine',
      20_000,
    );
    t.equal(await client.address(), address);
    t.notMatch(client.text.slice(before), /discover/);
  });
});

t.test('a pool that is full answers nobody, until somebody leaves', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ipam = { subnet: '10.77.0.0/29', rangeStart: '10.77.0.2', rangeEnd: '10.77.0.3' };
    const network = new Network(host, { ...LAB, ipam });
    const { ip4 } = await network.container('c1');
    const one = await DhcpClient.start(host, await guest(host, 'one'), udhcpc());
    t.equal(await one.bound(), ip4 === '10.77.0.2' ? '10.77.0.3' : '10.77.0.2');
    const two = await guest(host, 'two');
    t.equal(await isAnswered(two), false);
    const refused = await network.run('ADD', 'c2', {}, {}, (await host.container('c2')).netnsPath);
    t.not(refused.code, 0, 'a container gets none either');
    await network.del('c1');
    const second = await DhcpClient.start(host, two, udhcpc());
    t.equal(await second.bound(), ip4);
  });
});

t.test('an address is reserved for a MAC address', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const reservations = { '02:00:00:00:77:01': ['10.77.0.99'] };
    const network = new Network(host, { ...LAB, ipam: { subnet: '10.77.0.0/24', reservations } });
    await network.container('c1');
    const place = await guest(host, 'boat');
    await place.must(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:77:01']);
    const client = await DhcpClient.start(host, place, udhcpc());
    t.equal(await client.bound(), '10.77.0.99');
    t.equal(await macOf(place), '02:00:00:00:77:01');
    t.same(await clientIds(host), ['dhcp-020000007701']);
  });
});

t.test('without an engine, gc takes down what the last guest has left', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    await guest(host, 'boat');
    await network.del('c1');
    await killEngine(host);
    t.same((await asked(host, 'gc')).view.garbage, [], 'as long as it is there, nothing');
    await host.must(['ip', 'link', 'delete', 'tap-boat']);
    t.match((await asked(host, 'gc')).view.garbage, [{ kind: 'network' }, { kind: 'bridge' }]);
    t.notOk(await has(host, BRIDGE));
    t.same((await asked(host, 'gc')).view.garbage, []);
  });
});

t.test('a lease that somebody died over while taking it down stands in nobody’s way', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    const place = await guest(host, 'boat');
    const client = await DhcpClient.start(host, place, udhcpc());
    const address = await client.bound();
    await client.stop();
    const [id = ''] = await clientIds(host);
    await host.must([NODE, '-e', HALF_DONE]);
    // What it had been given is still there: what counts is what it is given again.
    await place.must(['ip', 'address', 'flush', 'dev', 'eth0']);
    await client.start();
    t.equal(await client.bound(), address);
    t.same(await clientIds(host), [id]);
  });
});
