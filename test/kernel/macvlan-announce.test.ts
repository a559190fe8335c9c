/** The LAN notices: neighbour caches that point at an old container point at the new one when ADD returns. */
import t from 'tap';
import { addresses, inet6, named, network, skip, withLan, withRouter } from './macvlan-bed.ts';

t.setTimeout(120_000);

const OLD = '02:11:22:33:44:01';
const NEW = '02:11:22:33:44:02';
const RANGES = [
  [{ subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10', rangeEnd: 'fd00:50::10' }],
  [{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.10', rangeEnd: '192.0.2.10' }],
];

for (const dad of ['optimistic', 'strict', 'off', undefined]) {
  t.test(`an address of a pool moves, dad ${dad ?? 'as by default'}`, { skip }, async (t) => {
    await withLan(t, async ({ host, lan }) => {
      const peer = await lan.station('peer', { addresses: ['fd00:50::9/64', '192.0.2.9/24'] });
      const config = { ipam: { ranges: RANGES }, ...(dad === undefined ? {} : { dad }) };
      const lanNetwork = network(host, config);
      const { ip4, ip6 } = await lanNetwork.container('old', { mac: OLD });
      for (const address of [ip4, ip6]) {
        t.ok(await peer.pings(address), `${address} answers`);
        await peer.learns(address, OLD);
      }
      await lanNetwork.del('old', { mac: OLD });
      const ear = await lan.listen({ filter: 'arp or (icmp6 and ip6[40] == 136)' });
      const moved = await lanNetwork.container('new', { mac: NEW });
      t.same([moved.ip4, moved.ip6], [ip4, ip6], 'the same addresses');
      // Not by asking: its own frames alone may have told the peer.
      for (const address of [ip4, ip6]) await peer.learns(address, NEW);
      await ear.hears(
        (frame) => /192\.0\.2\.10/.test(frame.text) && /ARP/.test(frame.text),
        'gratuitous ARP',
      );
      await ear.hears(/neighbor advertisement.*tgt is fd00:50::10/, 'an unsolicited advertisement');
      t.equal((await peer.neighbour(ip6))?.lladdr, NEW);
      t.equal((await peer.neighbour(ip4))?.lladdr, NEW);
      t.ok((await peer.pings(ip4)) && (await peer.pings(ip6)), 'and both answer');
    });
  });
}

t.test('beside an address of the router', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['fd00:50::9/64', '192.0.2.9/24'] });
    await peer.believes('fd00:50::10', OLD);
    await peer.believes('192.0.2.10', OLD);
    await network(host, { addressing: ['slaac', 'pool'], ipam: { ranges: RANGES } }).container('c1', {
      mac: NEW,
    });
    for (const address of ['fd00:50::10', '192.0.2.10']) {
      await peer.learns(address, NEW);
      t.ok(await peer.pings(address));
    }
  });
});

t.test('an address by the router under another MAC address', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64'] });
    for (const dad of ['strict', 'optimistic', 'off']) {
      const lanNetwork = network(host, { dad, interfaceIdentifier: '::abcd' });
      await peer.believes('2001:db8:50::abcd', OLD);
      const { place, result } = await lanNetwork.container(dad, { mac: NEW, ...named('web') });
      t.same(addresses(result), ['2001:db8:50::abcd/64']);
      t.match(await inet6(place, 'global'), [{ local: '2001:db8:50::abcd' }]);
      // An optimistic address must not override (RFC 4429, section 3.3): the kernel corrects others when it is its own.
      if (dad !== 'optimistic') await peer.learns('2001:db8:50::abcd', NEW);
      if (dad !== 'optimistic') t.ok(await peer.pings('2001:db8:50::abcd'), dad);
      await lanNetwork.del(dad, { mac: NEW, ...named('web') });
    }
  });
});

t.test('the way out is known when ADD returns', { skip }, async (t) => {
  await withRouter(t, async ({ host, router }) => {
    const [eth0] = await router.place.ip('link', 'show', 'dev', 'eth0');
    await router.place.shell('ip address add 2001:db8:77::1/128 dev lo');
    for (const dad of ['optimistic', 'strict', 'off']) {
      const place = await host.container(dad);
      const lanNetwork = network(host, { dad, ipam: { ranges: RANGES.slice(1) } });
      await lanNetwork.add(dad);
      // An optimistic address may not be asked from: who is forgotten then is out of reach for a second.
      const known = await place.ip('neigh', 'show', 'to', 'fe80::1', 'dev', 'eth0');
      if (dad === 'optimistic') t.match(known, [{ lladdr: eth0?.address }], 'the router is known');
      t.equal((await place.run(['ping', '-n', '-c1', '-W2', '2001:db8:77::1'])).code, 0, dad);
      await lanNetwork.del(dad);
    }
  });
});
