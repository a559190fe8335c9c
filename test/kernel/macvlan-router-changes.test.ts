/** macvlan-v6 while the LAN's router changes its mind. */
import t from 'tap';
import { advertisement, sendAdvertisements } from './lan-advertise.ts';
import { addresses, inet6, network, skip, withLan, withRouter } from './macvlan-bed.ts';
import { until } from './harness.ts';
import type { Place } from './harness.ts';

t.setTimeout(120_000);

async function hasPrefix(place: Place, prefix: string): Promise<boolean> {
  return (await inet6(place, 'global')).some(
    ({ local, tentative, deprecated }) => local.startsWith(prefix) && !tentative && !deprecated,
  );
}

t.test('the prefix changes', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan, router }) => {
    const peer = await lan.station('peer', { addresses: ['2001:db8:51::9/64'] });
    const ways = {
      eui64: {},
      token: { interfaceIdentifier: '::abcd' },
      private: { interfaceIdentifier: 'stable-privacy' },
    };
    const containers = [];
    for (const [name, config] of Object.entries(ways)) {
      const lanNetwork = network(host, { name, ...config });
      containers.push({ name, lanNetwork, ...(await lanNetwork.container(name)) });
    }
    await router.reload(`
      prefix 2001:db8:50::/64 { AdvAutonomous on; AdvPreferredLifetime 0; AdvValidLifetime 7200; };
      prefix 2001:db8:51::/64 { AdvAutonomous on; };`);
    for (const { name, lanNetwork, place, result } of containers) {
      await until(async () => hasPrefix(place, '2001:db8:51:'), `${name} follows`);
      const now = (await inet6(place, 'global')).find(({ local }) => local.startsWith('2001:db8:51:'));
      t.ok(await peer.pings(now?.local ?? ''), `${name}: ${now?.local} answers`);
      t.equal(await lanNetwork.check(name, result), undefined, `${name}: CHECK is content`);
    }
    for (const { name, lanNetwork, place, result } of containers) {
      // As the end of its lifetime takes the old one away.
      await place.must(['ip', 'address', 'del', addresses(result)[0] ?? '', 'dev', 'eth0']);
      t.equal(await lanNetwork.check(name, result), undefined, `${name}: and without the old one`);
      await lanNetwork.del(name);
      t.same(
        (await place.ip('link')).map(({ ifname }) => ifname),
        ['lo'],
      );
    }
  });
});

t.test('the router says goodbye, another takes over', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan, router }) => {
    const lanNetwork = network(host);
    const { place, result } = await lanNetwork.container('c1');
    await router.stop();
    await until(async () => (await place.ip('-6', 'route', 'show', 'default')).length === 0, 'no way out');
    t.match(await lanNetwork.check('c1', result), /default route/, 'CHECK says that there is none');
    const other = await lan.router('other', { linkLocal: 'fe80::2' });
    await other.radvd();
    const gateway = async () => (await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway;
    await until(async () => (await gateway()) === 'fe80::2', 'by the other one');
    t.equal(await lanNetwork.check('c1', result), undefined, 'whichever router it is');
  });
});

t.test('the router changes the MTU, its servers, its flags', { skip }, async (t) => {
  await withRouter(t, async ({ host, router }) => {
    const lanNetwork = network(host);
    const { place, result } = await lanNetwork.container('c1');
    await router.reload(`
      AdvLinkMTU 1300; AdvManagedFlag on; AdvOtherConfigFlag on;
      prefix 2001:db8:50::/64 { AdvAutonomous on; };
      RDNSS 2001:db8:50::99 {};`);
    const mtu = async () => (await place.must(['cat', '/proc/sys/net/ipv6/conf/eth0/mtu'])).trim();
    await until(async () => (await mtu()) === '1300', 'the MTU follows');
    t.equal(await lanNetwork.check('c1', result), undefined);
  });
});

t.test('several prefixes, of which not all are of use', { skip }, async (t) => {
  await withRouter(
    t,
    async ({ host }) => {
      const { result } = await network(host).container('c1');
      const found = addresses(result).map((address) => address.split(':').slice(0, 2).join(':'));
      t.same(found.sort(), ['2001:db8', 'fd00:51'], 'ULA and GUA');
      t.equal(result.dns?.nameservers?.length, 3);
    },
    `prefix 2001:db8:50::/64 { AdvAutonomous on; };
     prefix fd00:51::/64 { AdvAutonomous on; };
     prefix 2001:db8:52::/64 { AdvAutonomous off; };
     prefix 2001:db8:60::/56 { AdvAutonomous on; };
     RDNSS 2001:db8:50::53 fd00:51::53 fe80::53 {};`,
  );
});

t.test('lifetimes without end, and nearly none', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const { place: sender } = await lan.router();
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
    const forEver = 0xffffffff;
    const lifetimes = [
      { valid: forEver, preferred: forEver },
      { valid: forEver, preferred: 60 },
      { valid: 60, preferred: 60 },
    ];
    for (const [number, lifetime] of lifetimes.entries()) {
      const name = `c${number}`;
      const lanNetwork = network(host);
      const from = ear.frames().length;
      const adding = lanNetwork.container(name);
      await ear.hears(/router solicitation/, 'a question', { from });
      const message = advertisement({ prefixes: [{ prefix: '2001:db8:50::/64', ...lifetime }] });
      await sendAdvertisements(sender, [message]);
      const { result } = await adding;
      t.match(addresses(result), [/^2001:db8:50:/], JSON.stringify(lifetime));
      t.equal(await lanNetwork.check(name, result), undefined);
      await lanNetwork.del(name);
    }
  });
});
