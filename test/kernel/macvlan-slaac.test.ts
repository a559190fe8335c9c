/** macvlan-v6 with addresses by router advertisements, as the container, the router and a peer see them. */
import t from 'tap';
import { formatMac } from '../../lib/base/mac.ts';
import { addresses, inet6, named, network, skip, state, withLan, withRouter } from './macvlan-bed.ts';
import type { Frame } from './lan-listener.ts';
import { macToEui64 } from './macvlan-eui64.ts';

t.setTimeout(120_000);

const PREFIX = '2001:db8:50::/64';
const ADVERTISED = `
  AdvLinkMTU 1400;
  prefix ${PREFIX} { AdvOnLink on; AdvAutonomous on; };
  prefix fd00:51::/64 { AdvOnLink on; AdvAutonomous on; };
  RDNSS 2001:db8:50::53 2001:db8:50::54 {};
  DNSSL lan.example corp.example {};`;

t.test('what the router says is in the container and in the result', { skip }, async (t) => {
  await withRouter(
    t,
    async ({ host, lan }) => {
      const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64', 'fd00:51::9/64'] });
      const lanNetwork = network(host);
      await lanNetwork.container('first');
      await lanNetwork.del('first');
      const before = await state(host);
      const { place, result } = await lanNetwork.container('c1');
      const mac = result.interfaces?.[0]?.mac ?? '';
      const expected = ['2001:db8:50:0:', 'fd00:51::'].map((prefix) => `${prefix}${macToEui64(mac)}/64`);
      t.same(addresses(result).sort(), expected, 'both prefixes, of the MAC address (RFC 4291)');
      t.same(
        (await inet6(place, 'global')).map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
        expected,
        'and the container has these and no other',
      );
      t.same(
        result.ips?.map(({ gateway }) => gateway),
        ['fe80::1', 'fe80::1'],
      );
      t.same(result.routes, [{ dst: '::/0', gw: 'fe80::1', mtu: 1400 }]);
      t.same(result.dns, {
        nameservers: ['2001:db8:50::53', '2001:db8:50::54'],
        search: ['lan.example', 'corp.example'],
      });
      const [route] = await place.ip('-6', 'route', 'show', 'default');
      t.match(route, { gateway: 'fe80::1', dev: 'eth0', protocol: 'ra' });
      const mtu = await place.must(['cat', '/proc/sys/net/ipv6/conf/eth0/mtu']);
      t.equal(mtu.trim(), '1400');
      const retransmission = await place.must(['cat', '/proc/sys/net/ipv6/neigh/eth0/retrans_time_ms']);
      t.equal(retransmission, '1000\n', 'its questions to neighbours are in no hurry any more');
      for (const address of expected)
        t.ok(await peer.pings(address.replace('/64', '')), `a peer has ${address}`);
      t.equal(await lanNetwork.check('c1', result), undefined);
      await lanNetwork.del('c1');
      await host.removeContainer('c1');
      t.same(await state(host), before, 'nothing stays');
    },
    ADVERTISED,
  );
});

/** The length of an ICMPv6 message (RFC 8200, section 3): 8 for a solicitation without options. */
function lengthOf({ bytes }: Frame): number {
  return bytes.readUInt16BE(18);
}

function sourceOf({ bytes }: Frame): string {
  return formatMac(bytes.subarray(6, 12));
}

t.test('routers are asked at once', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const ear = await lan.listen({ filter: 'icmp6 and (ip6[40] == 133 or ip6[40] == 134)' });
    for (const dad of ['optimistic', 'strict', 'off']) {
      const from = ear.frames().length;
      const { place, result } = await network(host, { dad }).container(dad);
      t.equal(addresses(result).length, 1);
      await ear.hears(/router advertisement/, `${dad}: an answer`, { from });
      const mac = result.interfaces?.[0]?.mac;
      const isOwn = (frame: Frame): boolean =>
        sourceOf(frame) === mac && /router solicitation/.test(frame.text);
      const first = await ear.hears(isOwn, `${dad}: a question`, { from });
      // The kernel asks when detection has ended, and says its MAC address with it.
      if (dad !== 'off') t.equal(lengthOf(first), 8, `${dad}: not by the kernel`);
      const [address] = await inet6(place, 'global');
      if (dad === 'strict') t.notOk(address?.tentative, 'strict: ADD returns when detection has ended');
    }
  });
});

t.test('the same name has the same address for ever', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    const config = { interfaceIdentifier: 'stable-privacy' };
    const lanNetwork = network(host, config);
    const life = async (id: string, name?: string) => {
      const wish = name === undefined ? {} : named(name);
      const { place, result } = await lanNetwork.container(id, wish);
      const linkLocal = (await inet6(place, 'link')).map(({ local }) => local);
      t.equal(await lanNetwork.check(id, result, wish), undefined, `${id} is as promised`);
      await lanNetwork.del(id, wish);
      await host.removeContainer(id);
      const mac = result.interfaces?.[0]?.mac ?? '';
      return { all: addresses(result), linkLocal, mac };
    };
    const web = await life('id1', 'web');
    t.equal(web.all.length, 1);
    t.match(web.all[0], /^2001:db8:50:/);
    t.notMatch(web.all[0], macToEui64(web.mac), 'it says nothing of the MAC address');
    t.notMatch(web.linkLocal[0], macToEui64(web.mac), 'nor does the link-local one');
    t.same(await life('id2', 'web'), web, 'in another namespace, under another id');
    t.not((await life('id3', 'db')).all[0], web.all[0], 'another name has another');
    const byId = await life('id4');
    t.same(await life('id4'), byId, 'without a name the id counts');
    t.not(byId.all[0], web.all[0]);
  });
});

t.test('pods of one name in two namespaces', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    for (const interfaceIdentifier of ['eui64', 'stable-privacy']) {
      const lanNetwork = network(host, { name: interfaceIdentifier, interfaceIdentifier });
      const spaces = ['test', 'production'].map((space) => named('web-0', space));
      const results = [];
      for (const [i, wish] of spaces.entries())
        results.push((await lanNetwork.container(`${interfaceIdentifier}${i}`, wish)).result);
      t.equal(new Set(results.flatMap(addresses)).size, 2, `${interfaceIdentifier}: each has its own`);
    }
  });
});

t.test('on another prefix it has another address that is as lasting', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    const lanNetwork = network(host, { interfaceIdentifier: 'stable-privacy' });
    const on = async (id: string, prefix: string) => {
      await router.radvd(`prefix ${prefix}/64 { AdvOnLink on; AdvAutonomous on; };`);
      const { result } = await lanNetwork.container(id, named('web'));
      await lanNetwork.del(id, named('web'));
      await router.crash();
      return addresses(result)[0] ?? '';
    };
    const [first, second] = [await on('a', '2001:db8:50::'), await on('b', '2001:db8:51::')];
    t.not(first.split(':').slice(4).join(), second.split(':').slice(4).join(), 'nobody can follow it');
    t.equal(await on('c', '2001:db8:50::'), first);
  });
});

t.test('a fixed identifier, and what the namespace prefers', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64'] });
    const place = await host.container('c1');
    const conf = '/proc/sys/net/ipv6/conf';
    // As an image, or the runtime's sysctls, may have it.
    await place.shell(`
      echo 2 > ${conf}/all/use_tempaddr; echo 2 > ${conf}/default/use_tempaddr
      echo 3 > ${conf}/default/addr_gen_mode; echo 0 > ${conf}/default/accept_ra
      echo 0 > ${conf}/default/autoconf; echo 0 > ${conf}/default/max_addresses`);
    const token = network(host, { interfaceIdentifier: '::abcd:5' });
    const result = await token.add('c1');
    t.same(addresses(result), ['2001:db8:50::abcd:5/64']);
    const given = await inet6(place, 'global');
    t.equal(given.length, 1, 'no temporary address beside it');
    t.notOk(given[0]?.temporary);
    t.equal((await inet6(place, 'link'))[0]?.local, `fe80::${macToEui64(result.interfaces?.[0]?.mac ?? '')}`);
    t.equal(await place.must(['cat', `${conf}/eth0/use_tempaddr`]), '0\n');
    t.equal(await place.must(['cat', `${conf}/eth0/max_addresses`]), '16\n');
    t.ok(await peer.pings('2001:db8:50::abcd:5'));
    t.equal(await token.check('c1', result), undefined);
    await token.del('c1');
    const again = network(host);
    const plain = await again.add('c1');
    const mac = plain.interfaces?.[0]?.mac ?? '';
    t.same(
      addresses(plain),
      [`2001:db8:50:0:${macToEui64(mac)}/64`],
      'of the MAC address, since that was said',
    );
  });
});
