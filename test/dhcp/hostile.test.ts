/** Neighbours that mean ill: whatever they send, the container keeps what its own server gave it. */
import t from 'tap';
import { holdings, hostPid } from '../kernel/engine-bed.ts';
import { SERVING4, skip } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { activeLease, addressesOf, eventually, givenBack, routesOf, withEngine } from './lease-bed.ts';
import { LIES } from './rogue-lies.ts';
import { Rogue } from './rogue.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);
t.jobs = 3;

const SHORT = { ...SERVING4, seconds: 10 };
const GIVEN = ['10.0.0.0/8 via 192.0.2.2', '172.16.0.0/12 via 192.0.2.3', 'default via 192.0.2.1'];

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

t.test('two servers', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const { place, ip4 } = await network.moor('boat');
    const other = await bed.lan.station('other', ['192.0.2.9/24']);
    const serving = { ...SHORT, first: '192.0.2.200', last: '192.0.2.220', router: '192.0.2.9' };
    const second = await DhcpServer.start(bed.host, other, dhcpd4(serving));
    await server.says('ACK', { count: 4, deadlineMs: 40_000 });
    t.same(second.messages(), [], 'renewals are for the one that was chosen');
    t.same(await addressesOf(place), [`${ip4}/24`]);
    t.same(await routesOf(place), GIVEN);

    const both = await Promise.all(['one', 'two', 'three'].map(async (name) => network.moor(name)));
    for (const boat of both) {
      const holders = [server, second].filter((each) => activeLease(each, boat.ip4));
      t.equal(holders.length, 1, `${boat.ip4} is of one server`);
      await network.del(boat.name);
      for (const holder of holders) await givenBack(holder, boat.ip4);
    }
  });
});

for (const [name, kind] of Object.entries({ kea4, dnsmasq })) {
  t.test(`a neighbour answers to everything: ${name}`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind({ ...SHORT, t1: 5, t2: 8 }));
      const network = await bed.network('bridge-nat');
      const rogue = await Rogue.start(bed.lan, 'lie');
      const boat = await network.moor('boat');
      t.same(await addressesOf(boat.place), [`${boat.ip4}/24`]);
      t.same(await routesOf(boat.place), GIVEN, 'and no route of the rogue');
      await server.says('ACK', { count: 4, deadlineMs: 40_000 });
      t.equal(counted(server, 'DISCOVER'), 1);
      t.equal(counted(server, 'DECLINE'), 0);
      t.same(await addressesOf(boat.place), [`${boat.ip4}/24`]);
      t.notMatch(bed.engine.log, /lease is lost|192\.0\.2\.66/);
      await rogue.hasSent(5 * Object.keys(LIES).length);
    });
  });
}

t.test('junk', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const pid = await hostPid(bed.host);
    const rogue = await Rogue.start(bed.lan, 'flood');
    const boats = await Promise.all(['one', 'two', 'three', 'four'].map(async (name) => network.moor(name)));
    // In a flood an offer may be lost, and asked for again.
    const discovers = counted(server, 'DISCOVER');
    await rogue.hasSent(20_000);
    const before = await holdings(bed.host, pid);
    await rogue.hasSent(100_000);
    const acks = counted(server, 'ACK');
    await server.says('ACK', { count: acks + 4, deadlineMs: 40_000 });
    const after = await holdings(bed.host, pid);
    t.ok(after.rss < before.rss + 30_000, `${before.rss} kB before, ${after.rss} kB after`);
    t.ok(after.fds <= before.fds + 20, `${before.fds} descriptors before, ${after.fds} after`);
    t.equal(counted(server, 'DISCOVER'), discovers, 'nobody begins anew');
    for (const { place, ip4 } of boats) t.same(await addressesOf(place), [`${ip4}/24`]);
    for (const { name } of boats) await network.del(name);
    await server.says('RELEASE', { count: 4 });
  });
});

t.test('a neighbour has the address that is offered', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.station('squatter', ['192.0.2.100/24']);
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
    const network = await bed.network('bridge', { checkAddress: true, timeout: 40 });
    const { place, ip4 } = await network.moor('boat');
    t.equal(counted(server, 'DECLINE'), 1);
    t.match(
      server.leases().find(({ address }) => address === '192.0.2.100'),
      { state: 'declined' },
    );
    t.equal(ip4, '192.0.2.101');
    await eventually(t, async () => addressesOf(place), ['192.0.2.101/24'], 'the other one');
    t.equal((await network.moor('other')).ip4, '192.0.2.102');
    t.equal(counted(server, 'DECLINE'), 1);
  });
});
