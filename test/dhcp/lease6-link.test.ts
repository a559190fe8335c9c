/** What the link tells of leases: somebody else has the address, or the way to the servers was interrupted. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import { MANAGED, SERVING4, SERVING6, skip } from './dhcp-lan.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4, kea6 } from './kea.ts';
import { addressesOf, eventually, withEngine } from './lease-bed.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);
t.jobs = 4;

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

/** The server writes its file behind what it says. */
function declined(server: DhcpServer): string[] {
  return server.leases().flatMap(({ state, address }) => (state === 'declined' ? [address] : []));
}

t.test('bridge-nat waits, and a neighbour has the address', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(MANAGED);
    await bed.lan.station('squatter', ['2001:db8:50::100/64']);
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea6(SERVING6));
    const network = await bed.network('bridge-nat', { ip: 6 }, { enabledad: true });
    const place = await bed.host.container('boat');
    t.match(await network.run('ADD', 'boat'), { code: 1, json: { code: 101 } });
    await server.says('DECLINE');
    await eventually(t, async () => declined(server), ['2001:db8:50::100'], 'is not leased again');
    await network.add(place);
    t.same(await addressesOf(place), ['2001:db8:50::101/128'], 'the next one gets another address');
  });
});

/** The reference's do not wait for the end of the detection. */
for (const main of ['bridge', 'macvlan'] as const) {
  t.test(`${main} does not wait, and a neighbour has the address`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      await bed.lan.advertise(MANAGED);
      await bed.lan.station('squatter', ['2001:db8:50::100/64']);
      const server = await DhcpServer.start(bed.host, bed.lan.router, kea6(SERVING6));
      const network = await bed.network(main, { ip: 6 }, main === 'bridge' ? { enabledad: true } : {});
      const place = await bed.host.container('boat');
      await network.run('ADD', 'boat');
      await server.says('DECLINE');
      await eventually(t, async () => declined(server), ['2001:db8:50::100'], 'is not leased again');
      await eventually(t, async () => addressesOf(place), ['2001:db8:50::101/128'], 'another address');
    });
  });
}

for (const main of ['bridge-nat', 'bridge', 'macvlan'] as const) {
  t.test(`${main}: the uplink goes down and comes up`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      await bed.lan.advertise(MANAGED);
      const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4, SERVING6));
      const network = await bed.network(main, { ip: 'both' });
      const { place } = await network.moor('boat');
      const before = await addressesOf(place);
      const [acks, discovers] = [counted(server, 'ACK'), counted(server, 'DISCOVER')];
      await bed.host.shell('ip link set lan0 down');
      await until(async () => {
        const [link] = await bed.host.ip('link', 'show', 'dev', 'lan0');
        return link?.operstate === 'DOWN';
      }, 'lan0 is down');
      await bed.host.shell('ip link set lan0 up');
      await server.says('CONFIRM', { deadlineMs: 30_000 });
      await server.says('ACK', { count: acks + 1, deadlineMs: 30_000 });
      t.equal(counted(server, 'DISCOVER'), discovers, 'what is held is asked for');
      t.equal(counted(server, 'SOLICIT'), 1);
      t.same(await addressesOf(place), before);
      await network.del('boat');
      await server.says('RELEASE', { count: 2 });
    });
  });
}

t.test('behind the uplink is another network now', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4));
    const network = await bed.network('bridge-nat');
    const { place } = await network.moor('boat');
    await bed.lan.router.shell(
      'ip address add 198.51.100.1/24 dev eth0; ip address del 192.0.2.1/24 dev eth0',
    );
    await bed.host.shell('ip link set lan0 down');
    await server.replace(
      kea4({
        ...{ subnet: '198.51.100.0/24', first: '198.51.100.50', last: '198.51.100.60' },
        router: '198.51.100.1',
      }),
    );
    await bed.host.shell('ip link set lan0 up');
    await eventually(t, async () => addressesOf(place), ['198.51.100.50/24'], 'the container follows');
    t.equal(server.messages()[0], 'REQUEST');
    t.equal(counted(server, 'NAK'), 1);
  });
});
