/** Leases of ten seconds: prolonged, taken over by another server, lost, got again, and changed. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import { DEEP_SUBNET, SERVING4, skip } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { activeLease, addressesOf, eventually, mtuOf, routesOf, withEngine } from './lease-bed.ts';
import { DhcpServer } from './server.ts';
import type { Serving4 } from './serving.ts';

t.setTimeout(240_000);
t.jobs = 4;

const SHORT: Serving4 = { ...SERVING4, seconds: 10 };
const GIVEN = ['10.0.0.0/8 via 192.0.2.2', '172.16.0.0/12 via 192.0.2.3', 'default via 192.0.2.1'];

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

for (const [name, kind] of Object.entries({ kea4, dhcpd4 })) {
  t.test(`${name}: prolonged at T1 by unicast`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SHORT));
      const ear = await bed.lan.lan.listen({
        place: bed.lan.router,
        ifname: 'eth0',
        filter: 'udp dst port 67',
      });
      const network = await bed.network('bridge-nat');
      const { ip4, place } = await network.moor('boat');
      const first = activeLease(server, ip4)?.expires ?? 0;
      await server.says('ACK', { count: 4, deadlineMs: 40_000 });
      t.equal(counted(server, 'DISCOVER'), 1, 'it never begins anew');
      await until(
        () => (activeLease(server, ip4)?.expires ?? 0) > first + 8,
        'a later end in the lease file',
      );
      t.same(await addressesOf(place), [`${ip4}/24`]);
      t.same(await routesOf(place), GIVEN);
      const unicast = `${ip4}.68 > 192.0.2.1.67`;
      const renewals = (): number => ear.frames().filter((frame) => frame.text.includes(unicast)).length;
      await until(() => renewals() >= 3, 'renewals from the address to the server alone');
    });
  });

  t.test(`${name}: the address goes with the lease, and comes again`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SHORT));
      const network = await bed.network('bridge');
      const boat = await network.moor('boat');
      await server.crash();
      await eventually(t, async () => addressesOf(boat.place), [], 'no lease, no address');
      t.same(await routesOf(boat.place), []);
      await bed.engine.says(/the lease is lost \(expired\)/);
      await server.start();
      await server.says('DISCOVER', { count: 2, deadlineMs: 40_000 });
      await eventually(t, async () => addressesOf(boat.place), [`${boat.ip4}/24`], 'the same as before');
      await eventually(t, async () => routesOf(boat.place), GIVEN, 'its routes');
      t.match(await network.check(boat), { code: 0 });
      await network.del('boat');
      await server.says('RELEASE');
    });
  });
}

t.test('prolonged by a server beyond the relay', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const deep = await bed.lan.relayed();
    const { routes: _, ...serving } = SHORT;
    const server = await DhcpServer.start(bed.host, deep.server, kea4({ ...serving, own: DEEP_SUBNET }));
    const network = await bed.network('bridge-nat');
    const { ip4, place } = await network.moor('boat');
    const ear = await bed.lan.lan.listen({ place: deep.server, ifname: 'eth0', filter: `src host ${ip4}` });
    await server.says('ACK', { count: 3, deadlineMs: 40_000 });
    t.equal(counted(server, 'DISCOVER'), 1);
    await t.resolves(ear.hears(/10\.53\.0\.1\.67/, 'a renewal that no relay has carried'));
    t.same(await addressesOf(place), [`${ip4}/24`]);
    await network.del('boat');
    await server.says('RELEASE');
  });
});

t.test('another server takes over', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('macvlan');
    const { ip4, place } = await network.moor('boat');
    const heir = await bed.lan.station('heir', ['192.0.2.9/24']);
    await server.crash();
    const times = { t1: 5, t2: 8 };
    const second = await DhcpServer.start(bed.host, heir, dnsmasq({ ...SHORT, ...times }));
    await second.says('ACK');
    t.same(second.messages(), ['REQUEST', 'ACK'], 'asked to go on, by everyone');
    await until(() => activeLease(second, ip4) !== undefined, 'the lease in its file');
    await second.says('ACK', { count: 2 });
    t.same(second.messages(), ['REQUEST', 'ACK', 'REQUEST', 'ACK'], 'and by itself from then on');
    await server.start();
    await second.says('ACK', { count: 4 });
    t.equal(counted(server, 'ACK'), 1, 'the first one is asked no more');
    t.same(await addressesOf(place), [`${ip4}/24`]);
    await network.del('boat');
    await second.says('RELEASE');
    t.equal(counted(server, 'RELEASE'), 0);
  });
});

/** dnsmasq refuses, dhcpd says nothing for what it has never heard of. */
const REFUSING = { dnsmasq: 'refused', dhcpd4: 'expired' } as const;

for (const [name, kind] of Object.entries({ dhcpd4, dnsmasq })) {
  t.test(`${name} has another subnet from now on`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const short = { ...SHORT, t1: 5, t2: 8 };
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(short));
      const network = await bed.network('bridge-nat');
      const boat = await network.moor('boat');
      await server.stop();
      await bed.lan.router.shell(
        'ip address add 198.51.100.1/24 dev eth0; ip address del 192.0.2.1/24 dev eth0',
      );
      await server.start(
        kind({
          ...{ ...short, subnet: '198.51.100.0/24', first: '198.51.100.50', last: '198.51.100.60' },
          ...{ router: '198.51.100.1', routes: [{ dst: '0.0.0.0/0', gw: '198.51.100.1' }] },
        }),
      );
      const why = REFUSING[name as keyof typeof REFUSING];
      await bed.engine.says(new RegExp(`the lease is lost \\(${why}\\)`), 30_000);
      t.equal(counted(server, 'NAK'), why === 'refused' ? 1 : 0);
      const address = await until(async () => {
        const [first = '', ...others] = await addressesOf(boat.place);
        return others.length === 0 && first.startsWith('198.51.100.5') && first;
      }, 'an address of the new subnet alone');
      await eventually(t, async () => routesOf(boat.place), ['default via 198.51.100.1'], 'its routes alone');
      t.match(activeLease(server, address.replace('/24', '')), { mac: boat.mac });
      const [kept] = await boat.place.ip('route', 'show', '192.0.2.0/24');
      t.equal(kept, undefined);
    });
  });
}

t.test('a renewal that brings other settings', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const mains = ['bridge-nat', 'bridge'] as const;
    const boats = await Promise.all(mains.map(async (main) => (await bed.network(main)).moor(main)));
    for (const { place } of boats) t.equal(await mtuOf(place), 1400);
    await server.stop();
    const routes = [
      { dst: '10.0.0.0/8', gw: '192.0.2.7' },
      { dst: '0.0.0.0/0', gw: '192.0.2.9' },
    ];
    await server.start(kea4({ ...SHORT, mtu: 1300, routes }));
    for (const { place, ip4 } of boats) {
      const wanted = ['10.0.0.0/8 via 192.0.2.7', 'default via 192.0.2.9'];
      await eventually(t, async () => routesOf(place), wanted, 'the routes follow');
      await eventually(t, async () => mtuOf(place), 1300, 'the MTU follows');
      t.same(await addressesOf(place), [`${ip4}/24`]);
    }
    t.equal(counted(server, 'DISCOVER'), 2);
    for (const main of mains) await (await bed.network(main)).del(main);
    await server.says('RELEASE', { count: 2 });
  });
});
