/**
 * The private LAN itself: what it promises the tests of macvlan-v6.
 */
import { test } from 'tap';
import { advertisement, manyPrefixes, sendAdvertisements } from './lan-advertise.ts';
import { USUAL_RADVD } from './lan-router.ts';
import { Lan, lanWorld } from './lan.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';

const skip = lacking('radvd', 'dnsmasq', 'tcpdump', 'busybox', 'perl', 'ping', 'bridge') ?? false;

/** A container whose eth0 is a macvlan by hand, with whatever the kernel does about IPv6 but wait for DAD. */
async function client(host: Host, name: string): Promise<Place> {
  const place = await host.container(name);
  await host.must([
    ...['ip', 'link', 'add', 'link', lanWorld.master, 'name', 'eth0', 'netns', name],
    ...['type', 'macvlan', 'mode', 'bridge'],
  ]);
  await place.shell('echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad');
  return place;
}

/** Global addresses as ADDRESS/LENGTH. */
async function globals(place: Place): Promise<string[]> {
  const [link] = await place.ip('-6', 'address', 'show', 'dev', 'eth0');
  const wanted = (link?.addr_info ?? []).filter(({ scope }) => scope === 'global');
  return wanted.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

async function gateways(place: Place): Promise<(string | undefined)[]> {
  return (await place.ip('-6', 'route', 'show', 'default')).map((route) => route.gateway);
}

/** Resolves when the kernel has made an address of this /64. */
async function untilAddressOf(place: Place, prefix: string): Promise<void> {
  await until(
    async () => (await globals(place)).some((address) => address.startsWith(prefix.replace(/::$/, ':'))),
    `address of ${prefix}`,
  );
}

test('stations see each other', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const router = await lan.router();
    const peer = await lan.station('peer', {
      addresses: ['192.0.2.9/24', '2001:db8:50::9/64'],
      mac: '02:00:5e:00:54:09',
    });
    await host.shell('ip address add 192.0.2.2/24 dev lan0; ip address add 2001:db8:50::2/64 dev lan0 nodad');
    for (const address of [lanWorld.router4, lanWorld.router6, '192.0.2.2', '2001:db8:50::2'])
      t.ok(await peer.pings(address), `the peer reaches ${address}`);
    t.match(await peer.neighbour(lanWorld.router6), { lladdr: '02:00:5e:00:54:01' });
    t.ok(await router.station.pings('2001:db8:50::9'));
    t.equal(await peer.neighbour('2001:db8:50::77'), undefined);
    t.notOk(await peer.pings('2001:db8:50::77', 1000), 'nobody answers for an address that nobody has');
    t.same((await host.ip('netns')).length, 0, 'the namespaces are none of the named ones');
  });
});

test('a client of radvd', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const router = await lan.router();
    await router.radvd();
    const place = await client(host, 'c1');
    const ear = await lan.listen({ place: host, ifname: lanWorld.master, filter: 'icmp6' });
    await place.shell('ip link set eth0 up');

    const answer = await ear.hears(/router advertisement/, 'answer to the solicitation');
    t.match(answer.text, /rdnss option.*2001:db8:50::53/);
    t.match(answer.text, /dnssl option.*lan\.example/);
    t.equal(answer.bytes.toString('hex', 6, 12), '02005e005401', 'the bytes begin with the Ethernet header');
    await ear.hears(/router solicitation/, 'the solicitation itself');
    await untilAddressOf(place, lanWorld.prefix6);
    t.match(await globals(place), [/^2001:db8:50:.*\/64$/]);
    t.same(await gateways(place), [lanWorld.routerLinkLocal]);

    await t.test('reload', async (t) => {
      await router.reload(`${USUAL_RADVD} prefix 2001:db8:51::/64 {};`);
      await untilAddressOf(place, '2001:db8:51::');
      t.equal((await globals(place)).length, 2);
    });

    await t.test('a crash is not noticed, an end is', async (t) => {
      await router.crash();
      t.same(await gateways(place), [lanWorld.routerLinkLocal]);
      await router.radvd();
      await router.stop();
      await until(async () => (await gateways(place)).length === 0, 'the router said goodbye');
      t.equal((await globals(place)).length, 2, 'addresses outlive the router');
    });
  });
});

test('a client of dnsmasq', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const router = await lan.router();
    await router.dnsmasq([
      'enable-ra',
      'dhcp-range=2001:db8:50::,ra-only,64,1h',
      'dhcp-range=192.0.2.100,192.0.2.120,1h',
    ]);
    const place = await client(host, 'c1');
    await place.shell('ip link set eth0 up');
    await untilAddressOf(place, lanWorld.prefix6);
    const lease = await place.run(['busybox', 'udhcpc', '-f', '-n', '-q', '-i', 'eth0', '-s', '/bin/true']);
    t.match(lease.stderr, /lease of 192\.0\.2\.1\d\d obtained from 192\.0\.2\.1/);
    t.match(router.log, /DHCPACK\(eth0\) 192\.0\.2\.1\d\d/, 'the server saw it too');
  });
});

test('advertisements made by hand', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const rogue = (await lan.router('rogue')).place;
    const place = await client(host, 'c1');
    await place.shell('ip link set eth0 up');
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 134' });

    await t.test('carry what they were given', async (t) => {
      const before = ear.frames().length;
      const all = advertisement({
        ...{ managed: true, other: true, preference: 'high', hopLimit: 33, mtu: 1400, retransmit: 2000 },
        mac: '02:00:5e:00:54:01',
        prefixes: [
          { prefix: '2001:db8:60::/64', valid: 7200, preferred: 600 },
          { prefix: '2001:db8:61::/65' },
        ],
        routes: [{ prefix: '2001:db8:f00::/48', preference: 'low', lifetime: 90 }],
        rdnss: { servers: ['2001:db8::53', 'fe80::53'], lifetime: 60 },
        dnssl: { domains: ['a.example', 'b.c.example'], lifetime: 61 },
      });
      await sendAdvertisements(rogue, [all]);
      const { text } = await ear.hears(/router advertisement/, 'the advertisement', { from: before });
      for (const words of [
        /hop limit 33, Flags \[managed, other stateful\], pref high, router lifetime 1800s.*retrans timer 2000ms/,
        /source link-address option.*02:00:5e:00:54:01/,
        /mtu option.*1400/,
        /prefix info option.*2001:db8:60::\/64, Flags \[onlink, auto\], valid time 7200s, pref\. time 600s/,
        /2001:db8:61::\/65/,
        /route info option.*2001:db8:f00::\/48, pref=low, lifetime=90s/,
        /rdnss option.*lifetime 60s, addr: 2001:db8::53 addr: fe80::53/,
        /dnssl option.*lifetime 61s, domain\(s\): a\.example\. b\.c\.example\./,
      ])
        t.match(text, words);
      await untilAddressOf(place, '2001:db8:60::');
      t.equal((await globals(place)).length, 1, 'no address of a /65');
    });

    await t.test('are not believed from beyond the link', async (t) => {
      await sendAdvertisements(rogue, [advertisement({ prefixes: [{ prefix: '2001:db8:70::/64' }] })], {
        hops: 64,
      });
      await sendAdvertisements(rogue, [advertisement({ prefixes: [{ prefix: '2001:db8:71::/64' }] })]);
      await untilAddressOf(place, '2001:db8:71::');
      t.notMatch((await globals(place)).join(), /2001:db8:70:/);
    });

    await t.test('1,000 prefixes', async (t) => {
      await sendAdvertisements(rogue, manyPrefixes(1000));
      const routes = async () =>
        (await place.ip('-6', 'route', 'show', 'proto', 'kernel')).map(({ dst }) => dst);
      await until(async () => (await routes()).includes('2001:db8:13e7::/64'), 'the last of them');
      t.equal((await routes()).filter((dst) => /^2001:db8:1[0-3]..::/.test(dst ?? '')).length, 1000);
    });

    await t.test('a storm has an end', async (t) => {
      const flurry = [advertisement({ routerLifetime: 71 }), advertisement({ routerLifetime: 0 })];
      await sendAdvertisements(rogue, flurry, { count: 301, intervalMs: 0.1, source: 'fe80::1' });
      await sendAdvertisements(rogue, [advertisement({ routerLifetime: 77 })]);
      await ear.hears(/router lifetime 77s/, 'the one after the storm');
      t.equal(ear.frames().filter(({ text }) => /router lifetime (71|0)s/.test(text)).length, 301);
    });
  });
});

test('a station corrects what it believes', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64'] });
    const place = await client(host, 'c1');
    await place.shell(`echo 1 > /proc/sys/net/ipv6/conf/eth0/ndisc_notify
      ip link set eth0 up
      ip address add 2001:db8:50::77/64 dev eth0 nodad`);
    await peer.believes('2001:db8:50::77', '02:00:00:00:66:66');
    t.match(await peer.neighbour('2001:db8:50::77'), { lladdr: '02:00:00:00:66:66' });
    await place.shell('ip link set dev eth0 address 02:00:5e:00:54:77');
    await peer.learns('2001:db8:50::77', '02:00:5e:00:54:77');
    t.ok(await peer.pings('2001:db8:50::77'));
  });
});

test('several LANs at once', { skip }, async (t) => {
  const one = async (number: number) =>
    withHost(t, async (host) => {
      const lan = await Lan.open(host);
      const router = await lan.router();
      await router.radvd(`prefix 2001:db8:${number}::/64 {};`);
      const place = await client(host, 'c1');
      await place.shell('ip link set eth0 up');
      await untilAddressOf(place, `2001:db8:${number}::`);
      t.equal((await globals(place)).length, 1, `LAN ${number} hears its own router alone`);
    });
  await Promise.all([71, 72, 73].map(one));
});
