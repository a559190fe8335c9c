/** macvlan-v6 with addresses of netmoor's own store, beside routers and alone; of both families. */
import t from 'tap';
import {
  CODES,
  POOL,
  addresses,
  inet6,
  network,
  onRecord,
  refused,
  skip,
  withLan,
  withRouter,
} from './macvlan-bed.ts';

t.setTimeout(120_000);

const V4 = {
  subnet: '192.0.2.0/24',
  rangeStart: '192.0.2.100',
  rangeEnd: '192.0.2.110',
  gateway: '192.0.2.1',
};

t.test('a pool, without any router', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['fd00:50::ff/64'] });
    const rogue = await lan.router('rogue');
    await rogue.radvd();
    const lanNetwork = network(host, POOL);
    const { place, result, ip6 } = await lanNetwork.container('c1');
    t.match(addresses(result), [/^fd00:50::[0-9a-f]+\/64$/]);
    t.ok(await peer.pings(ip6));
    t.same(
      (await inet6(place, 'global')).map(({ local }) => local),
      [ip6],
      'routers are not believed',
    );
    t.same(await place.ip('-6', 'route', 'show', 'proto', 'ra'), []);
    t.equal(await lanNetwork.check('c1', result), undefined);
    await lanNetwork.del('c1');
    t.equal(await onRecord(host), 0);
  });
});

t.test('router and pool: both addresses', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['fd00:50::ff/64', '2001:db8:50::ff/64'] });
    for (const dad of ['strict', 'optimistic', 'off']) {
      const lanNetwork = network(host, { dad, addressing: ['slaac', 'pool'], ...POOL });
      const { place, result } = await lanNetwork.container(dad);
      const all = addresses(result);
      t.match(all, [/^fd00:50::/, /^2001:db8:50:/], dad);
      t.same((await inet6(place, 'global')).map(({ local }) => `${local}/64`).sort(), [...all].sort());
      for (const address of all) t.ok(await peer.pings(address.replace('/64', '')), address);
      t.same(
        result.routes?.map(({ dst, gw }) => ({ dst, gw })),
        [{ dst: '::/0', gw: 'fe80::1' }],
      );
      t.equal(await lanNetwork.check(dad, result), undefined);
      await lanNetwork.del(dad);
    }
  });
});

t.test('what the configuration or the runtime says', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64', '192.0.2.9/24'] });
    const fixed = network(host, {
      name: 'fixed',
      addresses: [{ address: '2001:db8:50::77/64', gateway: '2001:db8:50::9' }, '192.0.2.77/24'],
    });
    const { result } = await fixed.container('c1');
    t.same(addresses(result), ['2001:db8:50::77/64', '192.0.2.77/24']);
    t.equal(result.ips?.[0]?.gateway, '2001:db8:50::9');
    t.equal(result.ips?.[1]?.gateway, undefined, 'nobody said one');
    t.ok(await peer.pings('2001:db8:50::77'));
    t.ok(await peer.pings('192.0.2.77'));
    t.equal(await fixed.check('c1', result), undefined);
    await host.container('c2');
    t.equal((await refused(fixed, 'c2')).code, CODES.addressTaken, 'nobody else gets them');

    const asked = network(host, { name: 'asked', capabilities: { ips: true } });
    const wish = { ips: ['2001:db8:50::78/64', '192.0.2.78/24'] };
    const { result: wished } = await asked.container('c3', wish);
    t.same(addresses(wished).sort(), [...wish.ips].sort(), 'of another network, by the runtime');
    t.equal(await asked.check('c3', wished, wish), undefined);
    await host.container('c4');
    for (const ips of [['2001:db8:50::78/64'], ['2001:db8:50::77/64']]) {
      const { code, msg } = await refused(asked, 'c4', { ips });
      t.equal(code, CODES.addressTaken, `${ips} is somebody's`);
      t.match(msg, ips[0]?.replace('/64', ''));
    }
    const alone = network(host, { name: 'asked', addressing: 'none' });
    t.equal(
      (await refused(alone, 'c4', { ips: ['2001:db8:50::79'] })).code,
      CODES.config,
      'without a length',
    );
  });
});

t.test('a fixed address beside that of the router', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    const both = network(host, {
      addressing: ['slaac', 'static'],
      addresses: ['fd00:50::77/64', '2001:db8:50::77/64'],
    });
    const { place, result } = await both.container('c1');
    t.match(addresses(result), ['fd00:50::77/64', '2001:db8:50::77/64', /^2001:db8:50:/]);
    t.equal((await inet6(place, 'global')).length, 3);
    t.equal(await both.check('c1', result), undefined);
    await both.del('c1');
    t.equal(await onRecord(host), 0);
  });
});

t.test('two networks on one master never give one address twice', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const ipam = {
      ranges: [[{ subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10', rangeEnd: 'fd00:50::15' }], [V4]],
    };
    const networks = ['one', 'two'].map((name) => network(host, { name, ipam }));
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) await host.container(name);
    const results = await Promise.all(names.map((name, i) => networks[i % 2]?.add(name)));
    const all = results.flatMap((result) => (result === undefined ? [] : addresses(result)));
    t.equal(new Set(all).size, 12, 'all are different');
    await host.container('g');
    t.equal((await refused(networks[0] ?? network(host), 'g')).code, 11, 'and the range is full for both');
    t.equal((await refused(networks[1] ?? network(host), 'g')).code, 11);
  });
});

t.test('IPv4 by whom it may be', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', '2001:db8:50::9/64'] });
    const routes = [{ dst: '0.0.0.0/0' }];
    const ways: Readonly<Record<string, object>> = {
      netmoor: { ipam: { ranges: [[V4]], routes } },
      'host-local': { ipam: { type: 'host-local', ranges: [[V4]], routes } },
      static: {
        ipam: { type: 'static', addresses: [{ address: '192.0.2.99/24', gateway: '192.0.2.1' }], routes },
      },
    };
    for (const [name, config] of Object.entries(ways)) {
      const lanNetwork = network(host, { cniVersion: '1.0.0', name, ...config });
      const { place, result, ip4, ip6 } = await lanNetwork.container(name);
      t.equal(addresses(result).length, 2, `${name}: both families`);
      t.match(ip4, /^192\.0\.2\.(99|1[01]\d)$/);
      t.match(ip6, /^2001:db8:50:/);
      t.ok(await peer.pings(ip4), `${name}: IPv4`);
      t.ok(await peer.pings(ip6), `${name}: IPv6`);
      t.equal((await place.ip('-4', 'route', 'show', 'default'))[0]?.gateway, '192.0.2.1');
      t.equal((await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway, 'fe80::1');
      t.same(result.dns?.nameservers, ['2001:db8:50::53'], 'whom the router tells');
      t.equal(await lanNetwork.check(name, result), undefined, `${name}: CHECK`);
      await lanNetwork.del(name);
      t.equal(await onRecord(host), 0);
    }
    const { place, result } = await network(host, { name: 'none' }).container('none');
    t.equal(addresses(result).length, 1, 'IPv6 only');
    t.same((await place.ip('-4', 'address', 'show', 'dev', 'eth0'))[0]?.addr_info ?? [], []);
  });
});

t.test('results of every version', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    const versions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
    for (const cniVersion of versions) {
      const lanNetwork = network(host, { cniVersion, ipam: { ranges: [[V4]] } });
      const name = `v${cniVersion.replaceAll('.', '')}`;
      const { result } = await lanNetwork.container(name);
      t.equal(result.cniVersion, cniVersion);
      if (cniVersion < '0.3.0') {
        t.match(result, {
          ip6: { ip: /^2001:db8:50:.*\/64$/, gateway: 'fe80::1' },
          ip4: { ip: /^192\.0\.2\./ },
        });
        t.match(result['ip6'], { routes: [{ dst: '::/0', gw: 'fe80::1' }] });
      } else t.match(addresses(result), [/^192\.0\.2\./, /^2001:db8:50:/]);
      t.match(result.dns, { nameservers: ['2001:db8:50::53'] });
      await lanNetwork.del(name);
    }
    await host.container('old');
    for (const cniVersion of ['0.1.0', '0.2.0']) {
      const two = network(host, { cniVersion, addressing: ['slaac', 'pool'], ...POOL });
      t.equal((await refused(two, 'old')).code, CODES.config, `${cniVersion} cannot say two of one family`);
      t.equal(await onRecord(host), 0);
      t.same(
        (await (await host.at('/run/netns/old')).ip('link')).map(({ ifname }) => ifname),
        ['lo'],
      );
    }
  });
});
