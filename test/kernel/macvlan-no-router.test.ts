/** macvlan-v6 where no router answers, answers late, or says nothing that an address could be made of. */
import t from 'tap';
import { CODES, addresses, inet6, network, onRecord, refused, skip, state, withLan } from './macvlan-bed.ts';
import { advertisement, sendAdvertisements } from './lan-advertise.ts';

t.setTimeout(120_000);

const SHORT = { timeout: 1.5 };

t.test('no router: an error, and everything as before', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const pool = network(host, { name: 'first', ipam: { ranges: [[{ subnet: 'fd00:50::/64' }]] } });
    await pool.container('first');
    await pool.del('first');
    await host.container('c1');
    const before = await state(host);
    const ways = [
      { dad: 'strict' },
      { dad: 'off' },
      { interfaceIdentifier: 'eui64' },
      { interfaceIdentifier: 'stable-privacy' },
      { interfaceIdentifier: '::5' },
    ];
    for (const way of ways) {
      const { code } = await refused(network(host, { timeout: 0.5, ...way }), 'c1');
      t.equal(code, CODES.unavailable, JSON.stringify(way));
      t.same(await state(host), before, 'nothing stays');
      t.equal(await onRecord(host), 0, 'not on record either');
    }
  });
});

t.test('no router, beside a pool and IPv4', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const ipam = { ranges: [[{ subnet: 'fd00:50::/64' }], [{ subnet: '192.0.2.0/24' }]] };
    const both = network(host, { ...SHORT, addressing: ['slaac', 'pool'], ipam });
    await host.container('c1');
    const { code } = await refused(both, 'c1');
    t.equal(code, CODES.unavailable);
    t.equal(await onRecord(host), 0, 'the leases are given back');
    const alone = network(host, { ...SHORT, addressing: ['slaac', 'pool'], ipam, allowLinkLocalOnly: true });
    const result = await alone.add('c1');
    t.equal(addresses(result).length, 3, 'with allowLinkLocalOnly they stay, beside the link-local one');
    t.equal(await alone.check('c1', result), undefined);
  });
});

t.test('link-local only', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const peer = await lan.station('peer');
    for (const dad of ['strict', 'optimistic', 'off']) {
      const lanNetwork = network(host, { ...SHORT, dad, allowLinkLocalOnly: true });
      const { place, result, ip6 } = await lanNetwork.container(dad);
      t.match(addresses(result), [/^fe80:.*\/64$/]);
      t.same(
        addresses(result),
        (await inet6(place, 'link')).map(({ local }) => `${local}/64`),
      );
      t.ok(await peer.pings(ip6), `${dad}: a peer reaches it`);
      t.notOk(result.routes?.length, 'no route');
      t.equal(await lanNetwork.check(dad, result), undefined);
      await lanNetwork.del(dad);
    }
  });
});

t.test('a router that comes late', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
    for (const dad of ['strict', 'optimistic']) {
      const from = ear.frames().length;
      const adding = network(host, { dad }).container(dad);
      // The second one goes out a second after the first; both stay without an answer.
      await ear.hears(/router solicitation/, 'another question', { from: from + 1 });
      await router.radvd();
      const { result } = await adding;
      t.match(addresses(result), [/^2001:db8:50:/], dad);
      t.same(result.dns?.nameservers, ['2001:db8:50::53']);
      await router.crash();
    }
  });
});

/** What routers may say that gives no address, and a word that the error says it by. */
const USELESS: Readonly<Record<string, readonly [body: string, word: RegExp]>> = {
  'a prefix that is not for autoconfiguration': [
    'prefix 2001:db8:50::/64 { AdvOnLink on; AdvAutonomous off; };',
    /2001:db8:50::\/64.*AdvAutonomous/,
  ],
  'DHCPv6 only': ['AdvManagedFlag on;', /DHCPv6/],
  'DHCPv6, and a prefix for the link': [
    'AdvManagedFlag on; prefix 2001:db8:50::/64 { AdvOnLink on; AdvAutonomous off; };',
    /DHCPv6|AdvAutonomous/,
  ],
  'a prefix of length 56': ['prefix 2001:db8:50::/56 { AdvOnLink on; AdvAutonomous on; };', /\/56/],
  'a prefix of length 80': ['prefix 2001:db8:50::/80 { AdvOnLink on; AdvAutonomous on; };', /\/80/],
  'no prefix': ['', /no prefix/],
  'a deprecated prefix': [
    'prefix 2001:db8:50::/64 { AdvAutonomous on; AdvPreferredLifetime 0; };',
    /deprecated/,
  ],
};

t.test('a router of which no address comes', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await host.container('c1');
    for (const [what, [body, word]] of Object.entries(USELESS)) {
      await router.radvd(body);
      const { code, msg } = await refused(network(host, SHORT), 'c1');
      t.equal(code, CODES.unavailable, what);
      t.match(msg, word, 'it says what is wrong');
      t.equal(await onRecord(host), 0);
      await router.crash();
    }
  });
});

t.test('a deprecated prefix beside another', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.radvd(`
      prefix 2001:db8:51::/64 { AdvAutonomous on; AdvPreferredLifetime 0; };
      prefix 2001:db8:50::/64 { AdvAutonomous on; };`);
    const { place, result } = await network(host).container('c1');
    t.match(addresses(result), [/^2001:db8:50:/], 'the result has the one to be used');
    const old = (await inet6(place, 'global')).filter(({ deprecated }) => deprecated);
    t.match(old, [{ local: /^2001:db8:51:/ }]);
  });
});

t.test('a router that knows no way out', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.radvd('AdvDefaultLifetime 0; prefix 2001:db8:50::/64 { AdvAutonomous on; };');
    const lanNetwork = network(host);
    const { place, result } = await lanNetwork.container('c1');
    t.match(addresses(result), [/^2001:db8:50:/]);
    t.equal(result.ips?.[0]?.gateway, undefined);
    t.notOk(result.routes?.length);
    t.same(await place.ip('-6', 'route', 'show', 'default'), []);
    t.equal(await lanNetwork.check('c1', result), undefined);
  });
});

t.test('two routers', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const prefix = (n: number) => ({ prefix: `2001:db8:5${n}::/64` });
    const near = await lan.router();
    await near.radvd();
    const far = await lan.station('far', { linkLocal: 'fe80::2' });
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
    const place = await host.container('c1');
    const adding = network(host, { dad: 'strict' }).add('c1');
    await ear.hears(/router solicitation/, 'a question');
    await sendAdvertisements(far.place, [advertisement({ prefixes: [prefix(1)] })]);
    const result = await adding;
    t.match(addresses(result).sort(), [/^2001:db8:50:/, /^2001:db8:51:/], 'addresses of both');
    t.same(result.routes?.map(({ gw }) => gw).sort(), ['fe80::1', 'fe80::2'], 'and both ways out');
    t.equal((await place.ip('-6', 'route', 'show', 'default')).length, 2);
  });
});
