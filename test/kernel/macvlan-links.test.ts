/** What `mode`, `mtu`, `mac` and the rest make of the interface, as the kernel shows it. */
import t from 'tap';
import { withHost } from './harness.ts';
import type { Place } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { CODES, POOL, network, refused, skip, state, withLan } from './macvlan-bed.ts';
import { Network } from './moorings.ts';

t.setTimeout(120_000);
t.jobs = 3;

interface Shown {
  readonly mode?: string;
  readonly bcqueuelen?: number;
  readonly usedbcqueuelen?: number;
}

async function link(place: Place, ifname = 'eth0') {
  const [shown] = await place.ip('-d', 'link', 'show', 'dev', ifname);
  const data = (shown?.linkinfo as { info_data?: Shown } | undefined)?.info_data ?? {};
  return { mac: shown?.address, mtu: shown?.mtu, ...data };
}

async function reaches(from: Place, address: string): Promise<boolean> {
  return (await from.run(['ping', '-c1', '-W3', address])).code === 0;
}

t.test('modes, and whether siblings reach each other', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    for (const [mode, reachable] of [
      ['bridge', true],
      ['private', false],
      // The switch does not send back.
      ['vepa', false],
    ] as const) {
      const lan = network(host, { ...POOL, mode });
      const c1 = await lan.container('c1');
      const c2 = await lan.container('c2');
      t.equal((await link(c1.place)).mode, mode);
      t.equal(await reaches(c1.place, c2.ip6), reachable, mode);
      t.equal(await lan.check('c1', c1.result), undefined);
      for (const name of ['c1', 'c2']) {
        await lan.del(name);
        await host.removeContainer(name);
      }
    }
  });
});

t.test('passthru has the master for itself', { skip }, async (t) => {
  await withLan(t, async ({ host, lan: wire }) => {
    const peer = await wire.station('peer', { addresses: ['fd00:50::9/64'] });
    const range = { subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10' };
    const ipam = { ranges: [[range]] };
    const alone = network(host, { ipam, mode: 'passthru' });
    const shared = network(host, { ipam, name: 'shared' });
    await alone.container('first');
    await alone.del('first');
    await host.removeContainer('first');
    const before = await state(host);
    const { place, result, ip6 } = await alone.container('c1');
    const [master] = await host.ip('link', 'show', 'dev', lanWorld.master);
    t.equal((await link(place)).mac, master?.address, "its MAC address is the master's");
    t.equal(result.interfaces?.[0]?.mac, master?.address, 'as the result says');
    t.equal(await alone.check('c1', result), undefined, 'and the record');
    t.ok(await peer.pings(ip6), 'peers reach it');
    await host.container('c2');
    const there = await state(host);
    t.match(await refused(shared, 'c2'), { code: CODES.unavailable, msg: /lan0/ });
    t.match(await refused(alone, 'c2'), { code: CODES.unavailable, msg: /lan0/ });
    t.same(await state(host), there, 'who is refused leaves nothing');
    await alone.del('c1');
    await shared.add('c2');
    t.match(await refused(alone, 'c1'), { code: CODES.unavailable, msg: /passthru/ });
    await shared.del('c2');
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    t.same(await state(host), before);
  });
});

t.test('passthru, and a MAC address that is asked for', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    await host.container('c1');
    const mac = '02:00:00:00:77:01';
    t.match(await refused(network(host, { ...POOL, mode: 'passthru', mac }), 'c1'), { code: CODES.config });
    t.match(await refused(network(host, { ...POOL, mode: 'passthru' }), 'c1', { mac }), {
      code: CODES.config,
    });
  });
});

t.test('mtu, mac, bcqueuelen', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const lan = network(host, { ...POOL, mtu: 1400, mac: '02:00:00:00:66:01', bcqueuelen: 3000 });
    const { place, result } = await lan.container('c1');
    t.match(await link(place), {
      mtu: 1400,
      mac: '02:00:00:00:66:01',
      bcqueuelen: 3000,
      usedbcqueuelen: 3000,
    });
    t.match(result.interfaces?.[0], { mtu: 1400, mac: '02:00:00:00:66:01' });
    const other = await network(host, { ...POOL, name: 'other', bcqueuelen: 10 }).container('c2', {
      mac: '02:00:00:00:66:02',
    });
    t.match(await link(other.place), { mtu: 1500, mac: '02:00:00:00:66:02', usedbcqueuelen: 3000 });
    const told = { cni: { mac: '02:00:00:00:66:03' } };
    const third = await network(host, { ...POOL, name: 'third', args: told }).container('c4');
    t.equal((await link(third.place)).mac, '02:00:00:00:66:03');
    await place.shell('ip link set eth0 mtu 1300');
    t.equal(await lan.check('c1', result), undefined, "a smaller one is a later plugin's business");
    await place.shell('ip link set eth0 mtu 1500');
    t.match(await lan.check('c1', result), /MTU 1500/);
    await host.shell(`ip link set ${lanWorld.master} mtu 1350`);
    t.equal((await link(place)).mtu, 1350, 'the kernel lowers it with the master');
    t.equal(await lan.check('c1', result), undefined);
    await host.container('c3');
    t.match(await refused(lan, 'c3'), { code: CODES.config, msg: /1350/ });
    t.match(await refused(network(host, { ...POOL, mac: '03:00:00:00:66:01' }), 'c3'), { code: Number });
    t.match(await refused(network(host, POOL), 'c3', { mac: '02:00:00:00:66:02' }), {
      code: CODES.addressTaken,
    });
  });
});

t.test('several containers and networks on a master, two networks in a container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const gateway = (subnet: string) => ({ ipam: { ranges: [[{ subnet }]], routes: [{ dst: '::/0' }] } });
    const [one, two] = [
      network(host, gateway('fd00:50::/64')),
      network(host, { ...gateway('fd00:60::/64'), name: 'two' }),
    ];
    await one.container('first');
    await one.del('first');
    await host.removeContainer('first');
    const before = await state(host);
    const c1 = await one.container('c1');
    const eth1 = await two.add('c1', { ifname: 'eth1' });
    const c2 = await two.container('c2');
    t.ok(await reaches(c1.place, c2.ip6), 'by the second network');
    const routes = await c1.place.ip('-6', 'route', 'show', 'default');
    t.same(
      routes.map(({ dev }) => dev),
      ['eth0', 'eth1'],
      'the first default route comes first',
    );
    t.not(routes[0]?.['metric'], routes[1]?.['metric'], 'and neither is joined with the other');
    t.equal(await one.check('c1', c1.result), undefined);
    t.equal(await two.check('c1', eth1, { ifname: 'eth1' }), undefined);
    await one.del('c1');
    t.equal(await two.check('c1', eth1, { ifname: 'eth1' }), undefined, 'the other one stays');
    await two.del('c1', { ifname: 'eth1' });
    await two.del('c2');
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    t.same(await state(host), before);
  });
});

t.test('a master inside the container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const inner = network(host, { ...POOL, name: 'inner', master: 'eth0', linkInContainer: true });
    const outer = new Network(host, { ipam: { ranges: [[{ subnet: '10.77.0.0/24' }]] } });
    await outer.container('first');
    await outer.del('first');
    await host.removeContainer('first');
    const before = await state(host);
    const wish = { ifname: 'lan0' };
    const { place } = await outer.container('c1');
    const result = await inner.add('c1', wish);
    t.match(await link(place, 'lan0'), { mode: 'bridge', mac: result.interfaces?.[0]?.mac });
    t.equal(await inner.check('c1', result, wish), undefined);
    t.match(
      (await inner.run('ADD', 'c2', wish, {}, '/run/netns/c1')).json,
      { code: Number },
      'the name is taken',
    );
    await place.shell('ip link delete lan0');
    t.match(await inner.check('c1', result, wish), /lan0/);
    await inner.del('c1', wish);
    await inner.add('c1', wish);
    t.equal((await inner.run('DEL', 'c1', wish, {}, '')).code, 0, 'without the namespace');
    t.notOk((await place.ip('link', 'show')).some(({ ifname }) => ifname === 'lan0'));
    await inner.add('c1', wish);
    await host.removeContainer('c1');
    await inner.del('c1', wish);
    await outer.del('c1');
    t.same(await state(host), before);
    await host.container('c3');
    t.match(await refused(inner, 'c3', wish), { code: CODES.unavailable, msg: /eth0/ });
  });
});
