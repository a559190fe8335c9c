/** Many containers at once, and containers that make it hard. */
import t from 'tap';
import { callOf, drive, failures } from '../kernel/engine-bed.ts';
import type { EngineAnswer } from '../../lib/engine/protocol.ts';
import { until } from '../kernel/harness.ts';
import type { CniJson } from '../kernel/harness.ts';
import { MANAGED, SERVING4, SERVING6, skip } from './dhcp-lan.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { activeLease, addressesOf, withEngine } from './lease-bed.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);
t.jobs = 2;

const CROWD = 100;

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

function addressIn(answer: EngineAnswer | null): string {
  const text = answer !== null && 'stdout' in answer ? answer.stdout : '{}';
  return (JSON.parse(text) as CniJson).ips?.[0]?.address ?? '';
}

t.test('a hundred at once', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const serving = { ...SERVING4, first: '192.0.2.10', last: '192.0.2.250' };
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(serving));
    const { config } = await bed.network('bridge-nat', { timeout: 60 });
    const names = Array.from({ length: CROWD }, (_, index) => `boat${index}`);
    await bed.host.shell(`for name in ${names.join(' ')}; do ip netns add $name; done`, {
      deadlineMs: 60_000,
    });
    const added = await drive(
      bed.host,
      names.map((name) => callOf('ADD', name, config)),
    );
    t.same(failures(added), []);
    const addresses = added.answers.map((answer) => addressIn(answer).replace('/24', ''));
    t.equal(new Set(addresses).size, CROWD, 'each has its own');
    const held = () => addresses.filter((address) => activeLease(server, address)).length;
    await until(() => held() === CROWD, 'all in the lease file');
    const deleted = await drive(
      bed.host,
      names.map((name) => callOf('DEL', name, config)),
    );
    t.same(failures(deleted), []);
    await server.says('RELEASE', { count: CROWD });
    await until(() => held() === 0, 'none in the lease file');
  });
});

const CLOSED = `table inet closed {
  chain in { type filter hook input priority 0; policy drop; }
  chain out { type filter hook output priority 0; policy drop; }
}`;

t.test('a container that lets nothing in', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(MANAGED);
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4({ ...SERVING4, seconds: 10 }));
    for (const main of ['bridge-nat', 'bridge'] as const) {
      const place = await bed.host.container(main);
      await place.must(['nft', CLOSED]);
      await place.shell('for each in all default; do echo 1 > /proc/sys/net/ipv4/conf/$each/rp_filter; done');
      const network = await bed.network(main);
      const { ip4 } = await network.add(place);
      t.same(await addressesOf(place), [`${ip4}/24`], main);
    }
    const before = counted(server, 'ACK');
    await server.says('ACK', { count: before + 4, deadlineMs: 40_000 });
    t.equal(counted(server, 'DISCOVER'), 2, 'it prolongs them, too');
    for (const main of ['bridge-nat', 'bridge'] as const) await (await bed.network(main)).del(main);
    await server.says('RELEASE', { count: 2 });
  });
});

t.test('an interface whose addresses are taken away', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(MANAGED);
    const server = await DhcpServer.start(
      bed.host,
      bed.lan.router,
      dnsmasq({ ...SERVING4, t1: 4, t2: 8 }, SERVING6),
    );
    const network = await bed.network('bridge-nat', { ip: 'both' });
    const { place, ip4 } = await network.moor('boat');
    await place.shell(
      'ip address flush dev eth0 scope global; echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    );
    await server.says('ACK', { count: 3, deadlineMs: 40_000 });
    t.equal(counted(server, 'DISCOVER'), 1, 'prolonged all the same');
    await network.del('boat');
    await server.says('RELEASE', { count: 2 });
    t.equal(activeLease(server, ip4), undefined);
  });
});
