/** macvlan-v6 attaching while somebody on the LAN sends as many router advertisements as he can. */
import t from 'tap';
import { formatAddress } from '../../lib/base/ip.ts';
import { openAutoconfWatch, untilAutoconfigured } from '../../lib/netlink/autoconf.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { solicitRouters } from '../../lib/system/neighbour-discovery.ts';
import { advertisement, manyPrefixes, sendAdvertisements } from './lan-advertise.ts';
import { addresses, network, onRecord, skip, withLan } from './macvlan-bed.ts';
import { until } from './harness.ts';
import { inside } from './nftables-bed.ts';
import type { Host, Place } from './harness.ts';

t.setTimeout(120_000);

const MAC = '02:00:5e:00:54:01';

/** Addresses, routes and resolvers that come and go. */
const CHANGING = Array.from({ length: 40 }, (_, i) => {
  const group = Math.floor(i / 2);
  const lifetime = i % 2 === 0 ? 3600 : 0;
  const hex = (n: number) => (0x100 * group + n).toString(16);
  return advertisement({
    mac: MAC,
    routerLifetime: lifetime,
    mtu: 1280 + i,
    managed: i % 2 === 0,
    prefixes: Array.from({ length: 30 }, (_, n) => ({
      prefix: `2001:db8:${hex(n)}::/64`,
      valid: lifetime,
      preferred: lifetime,
    })),
    rdnss: { servers: Array.from({ length: 20 }, (_, n) => `2001:db8:53::${hex(n)}`), lifetime },
    dnssl: { domains: [`d${i}.example`], lifetime: 3600 },
  });
});

const STORMS: Readonly<Record<string, readonly Buffer[]>> = {
  'one advertisement again and again': [
    advertisement({ mac: MAC, prefixes: [{ prefix: '2001:db8:50::/64' }] }),
  ],
  'a thousand prefixes': manyPrefixes(1000, { mac: MAC }),
  'all changes all the time': CHANGING,
  'nothing that an address comes of': manyPrefixes(1000, { mac: MAC, autonomous: false }),
};

/** Sends them over and over until stopped. */
function storm(
  place: Place,
  messages: readonly Buffer[],
): { stop: () => Promise<void>; ended: Promise<void> } {
  let more = true;
  const blow = async () => {
    while (more) await sendAdvertisements(place, messages, { count: 4000 });
  };
  const ended = blow();
  return {
    ended,
    stop: async () => {
      more = false;
      await ended;
    },
  };
}

async function heard(host: Host): Promise<boolean> {
  const text = await host.must(['cat', '/proc/net/snmp6']);
  return Number(/^Icmp6InRouterAdvertisements\s+(\d+)/m.exec(text)?.[1]) > 1000;
}

for (const [what, messages] of Object.entries(STORMS)) {
  t.test(`a storm: ${what}`, { skip }, async (t) => {
    await withLan(t, async ({ host, lan }) => {
      const { place: rogue } = await lan.router('rogue');
      const blowing = storm(rogue, messages);
      await until(async () => heard(host), 'it blows');
      for (const dad of ['optimistic', 'strict', 'off']) {
        const lanNetwork = network(host, { dad, timeout: 2 });
        const place = await host.container(dad);
        const { code, json, stdout, stderr } = await lanNetwork.run('ADD', dad);
        t.comment(dad, code, stdout.length, code === 0 ? '' : stdout + stderr);
        t.ok(json, `${dad}: it answers`);
        if (code === 0 && json) {
          t.ok(
            addresses(json).length >= 1 && addresses(json).length <= 16,
            `${addresses(json).length} addresses`,
          );
          t.ok(stdout.length < 16_384, `${stdout.length} bytes`);
        } else t.ok([11, 50].includes(json?.code ?? 0), stdout);
        await lanNetwork.del(dad);
        t.equal(await onRecord(host), 0);
        t.same(
          (await place.ip('link')).map(({ ifname }) => ifname),
          ['lo'],
          'nothing stays',
        );
      }
      await blowing.stop();
    });
  });
}

t.test('a good router in a storm of useless ones', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    await (await lan.router()).radvd();
    const rogue = await lan.station('rogue', { linkLocal: 'fe80::66' });
    const messages = manyPrefixes(1000, { autonomous: false, onLink: false, routerLifetime: 0 });
    const blowing = storm(rogue.place, messages);
    await until(async () => heard(host), 'it blows');
    for (const dad of ['optimistic', 'strict', 'off']) {
      const { result } = await network(host, { dad }).container(dad);
      t.match(addresses(result), [/^2001:db8:50:/], dad);
      t.same(result.routes, [{ dst: '::/0', gw: 'fe80::1' }]);
      // Of resolvers the kernel tells once, which gets lost where it has too much to tell.
      const { nameservers = [], search = [] } = result.dns ?? {};
      t.notOk(nameservers.find((server) => server !== '2001:db8:50::53'));
      t.notOk(search.find((domain) => domain !== 'lan.example'));
    }
    await blowing.stop();
  });
});

t.test('a hundred routers', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const { place: rogue } = await lan.router('rogue');
    const sources = Array.from({ length: 100 }, (_, i) => `fe80::${(0x1000 + i).toString(16)}`);
    await rogue.shell(sources.map((each) => `ip address add ${each}/64 dev eth0 nodad`).join('\n'));
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
    const place = await host.container('c1');
    // Strict: all of them have spoken when detection ends.
    const adding = network(host, { dad: 'strict' }).run('ADD', 'c1');
    await ear.hears(/router solicitation/, 'a question');
    const prefixes = [{ prefix: '2001:db8:50::/64' }];
    await sendAdvertisements(rogue, [advertisement({ prefixes })]);
    for (let from = 0; from < sources.length; from += 10) {
      const some = sources.slice(from, from + 10);
      await Promise.all(
        some.map(async (source) => sendAdvertisements(rogue, [advertisement({})], { source })),
      );
    }
    const { json, stdout } = await adding;
    t.match(json?.ips, [{ address: /^2001:db8:50:/ }], stdout);
    const routes = async () => (await place.ip('-6', 'route', 'show', 'default')).length;
    await until(async () => (await routes()) > 16, 'the container believes many');
    t.ok((json?.routes?.length ?? 0) <= 16, `${json?.routes?.length} routes in the result`);
  });
});

t.test('what was told is lost', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    await (await lan.router()).radvd();
    const rogue = await lan.station('rogue', { linkLocal: 'fe80::66' });
    await host.shell('echo 1 > /proc/sys/net/ipv6/conf/lan0/accept_ra');
    const sockets = inside(host, () => ({
      notifications: openAutoconfWatch(),
      route: NetlinkSocket.open('route'),
    }));
    t.teardown(() => sockets.notifications.close());
    t.teardown(() => sockets.route.close());
    const index = findLink(sockets.route, 'lan0')?.index ?? 0;
    // Each tells of 44 prefixes, in messages of which the socket has room for some thousands.
    await sendAdvertisements(rogue.place, manyPrefixes(1000), { count: 2000 });
    let asked = 0;
    const solicit = () => {
      asked++;
      inside(host, () => solicitRouters(index));
      return true;
    };
    const wanted = { index, strict: false, solicit, milliseconds: 10_000 };
    const found = untilAutoconfigured(sockets, wanted, () => performance.now());
    t.ok(asked > 1, 'the router is asked again');
    t.same(found.servers.map(formatAddress), ['2001:db8:50::53'], 'and its answer counts');
    t.same(found.domains, ['lan.example']);
    t.ok(found.prefixes.length <= 16);
  });
});
