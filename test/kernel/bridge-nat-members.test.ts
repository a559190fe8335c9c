/**
 * `members`: interfaces of the host as ports of a network's bridge, taken in with their addresses and given back;
 * networks of which the host is no router, and networks that lead nowhere.
 */
import t from 'tap';
import { bundled } from '../crash/bundled.ts';
import { Conversation, ask, lacking, serve, until, withHost, without, world } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { Network } from './moorings.ts';
import { asked, netmoor } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const VICTIM = bundled('bridge-nat-victim');
t.setTimeout(120_000);

/** Scenario B's other layout: containers directly on the office's LAN, whose router stays the router. */
const OFFICE = {
  name: 'office',
  members: [{ interface: 'uplink', moveAddresses: true }],
  ipam: {
    ranges: [
      [
        {
          subnet: '203.0.113.0/24',
          rangeStart: '203.0.113.100',
          rangeEnd: '203.0.113.120',
          gateway: world.router4,
        },
      ],
      [
        {
          subnet: '2001:db8::/64',
          rangeStart: '2001:db8::100',
          rangeEnd: '2001:db8::120',
          gateway: world.router6,
        },
      ],
    ],
  },
};
const BRIDGE = 'nm-office';
const CARD = '02:00:5e:00:53:02';

/** What a card may have, beside what the harness gives it. */
const MORE = `ip address add 203.0.113.50/24 dev uplink valid_lft 3600 preferred_lft 1800
ip address add 192.0.2.9/32 dev uplink scope link
ip address add 198.51.100.77 peer 198.51.100.78/32 dev uplink
ip address add 2001:db8::50/64 dev uplink nodad valid_lft 3600 preferred_lft 0
ip address add 2001:db8::51/64 dev uplink nodad noprefixroute
ip route add 198.18.0.0/15 via ${world.router4} metric 77 mtu 1400
ip route add 198.18.0.0/16 dev uplink table 100
ip -6 route add 2001:db8:5::/48 via ${world.router6} expires 3000 metric 5
ip -6 route add 2001:db8:6::/48 dev uplink proto 109`;

type Named = Record<string, unknown>;

/** Addresses and routes of an interface, whatever it is called, in an order of their own; without what runs down. */
async function belongings(host: Host, dev: string): Promise<unknown> {
  const shown = await host.ip('address', 'show', 'dev', dev, 'scope', 'global');
  const link = await host.ip('address', 'show', 'dev', dev, 'scope', 'link');
  const routes = await Promise.all(
    ['-4', '-6'].map(async (family) => host.ip(family, 'route', 'show', 'table', 'all', 'dev', dev)),
  );
  const addresses = [...shown, ...link].flatMap(({ addr_info = [] }) => addr_info as unknown as Named[]);
  const plain = (each: Named): string => {
    const rest: Named = { ...each };
    for (const key of ['label', 'expires', 'valid_life_time', 'preferred_life_time', 'dev']) delete rest[key];
    const counts = ['expires', 'valid_life_time', 'preferred_life_time'].filter(
      (key) => Number(each[key]) > 0,
    );
    const bounded = Number(each['valid_life_time'] ?? 0) < 4e9;
    return JSON.stringify([rest, counts, bounded]).replaceAll(dev, 'DEV');
  };
  const automatic = /"(fe80|ff00|multicast)|"type":"(multicast|anycast)"|"flags":\["linkdown"\]/;
  return [...addresses, ...(routes.flat() as unknown as Named[])]
    .map(plain)
    .filter((text) => !automatic.test(text))
    .sort();
}

async function masterOf(host: Host, dev: string): Promise<string | undefined> {
  return (await host.ip('link', 'show', 'dev', dev))[0]?.master;
}

async function state(host: Host): Promise<unknown> {
  return without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
}

async function reaches(place: Place, ...addresses: string[]): Promise<void> {
  for (const address of addresses) await place.must(['ping', '-c1', '-W2', address]);
}

t.test('a bridge that holds the card: containers on the office LAN', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(MORE);
    await host.outside.shell('ip address add 198.51.100.78 dev lo');
    const before = await belongings(host, 'uplink');
    const whole = await state(host);
    await serve(host, 'udp', 70, { address: world.host4 });
    const talk = new Conversation(host.outside, 'udp', world.host4, 70);
    t.ok(await talk.ask());
    const network = new Network(host, OFFICE);
    const { place, result, ip4, ip6 } = await network.container('web');
    t.ok(await talk.ask(), 'who talked to the host goes on');
    t.strictSame(await belongings(host, BRIDGE), before, 'all is the bridge’s now');
    t.strictSame(await belongings(host, 'uplink'), []);
    t.equal(await masterOf(host, 'uplink'), BRIDGE);
    t.equal((await host.ip('link', 'show', 'dev', BRIDGE))[0]?.address, CARD);
    await reaches(host, world.internet4, world.internet6, ip4, ip6);
    await host.outside.shell('ip neighbour flush all');
    await reaches(host.outside, world.host4, ip4, ip6);
    await reaches(place, world.router4, world.internet4, world.internet6);
    await serve(host.outside, 'tcp', 80, { address: world.internet4 });
    t.match(await ask(place, 'tcp', world.internet4, 80), { peer: ip4 }, 'nothing is masqueraded');
    t.match(result.ips, [{ gateway: world.router4 }, { gateway: world.router6 }]);

    t.match((await netmoor(host, 'show')).out, naming('uplink', BRIDGE, 'web'));
    t.match((await asked(host, 'show')).view.segments, [
      { name: BRIDGE, ports: [{ name: 'uplink', member: true }] },
    ]);
    t.equal(await network.check('web', result), undefined);
    await host.must(['ip', 'link', 'set', 'uplink', 'nomaster']);
    t.match(await network.check('web', result), naming('uplink', BRIDGE));
    // As a DHCP client that knows of no bridge would.
    await host.must(['ip', 'address', 'add', '203.0.113.60/24', 'dev', 'uplink']);
    const other = await network.container('other');
    t.equal(await network.check('web', result), undefined, 'the next ADD has repaired it');
    t.strictSame(await belongings(host, 'uplink'), []);
    await host.must(['ip', 'address', 'delete', '203.0.113.60/24', 'dev', BRIDGE]);
    await reaches(host.outside, other.ip4, other.ip6);

    await network.del('other');
    t.equal(await masterOf(host, 'uplink'), BRIDGE, 'as long as somebody is there');
    await network.del('web');
    t.strictSame(await belongings(host, 'uplink'), before, 'all is the card’s again');
    t.ok(await talk.ask());
    await talk.close();
    await reaches(host, world.internet4, world.internet6);
    for (const name of ['web', 'other']) await host.removeContainer(name);
    t.strictSame(await state(host), whole);
  });
});

t.test('half taken in, half given back, forgotten, or gone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const before = await belongings(host, 'uplink');
    const network = new Network(host, OFFICE);
    const { netnsPath: netns } = await host.container('web');
    const call = { config: network.config, containerId: 'web', ifname: 'eth0', netns, path: '/usr/lib/cni' };
    for (const step of ['member plugged in', 'addresses copied']) {
      const killed = await host.cni([process.execPath, VICTIM, `attach: ${step}`], 'ADD', call);
      t.not(killed.code, 0, step);
      if (step === 'addresses copied') await network.add('web');
      await network.del('web');
      t.strictSame(await belongings(host, 'uplink'), before, `after ${step}`);
      await reaches(host, world.internet4, world.internet6);
    }
    await network.add('web');
    // A process that died while it gave back: the card is out, and has its address as well.
    await host.shell(`ip link set uplink nomaster; ip address add ${world.host4}/24 dev uplink`);
    await network.del('web');
    t.strictSame(await belongings(host, 'uplink'), before);

    await network.add('web');
    await host.must(['ip', 'link', 'set', 'uplink', 'down']);
    await network.del('web');
    t.match(
      await host.ip('address', 'show', 'dev', 'uplink'),
      [{ addr_info: [{ local: world.host4 }, { local: world.host6 }] }],
      'a card that somebody has taken down has its addresses',
    );
    await host.shell(`ip link set uplink up
ip route add default via ${world.router4}
ip -6 route add default via ${world.router6}`);
    t.strictSame(await belongings(host, 'uplink'), before);

    await network.add('web');
    await host.shell('rm -r /var/lib/cni/netmoor');
    await asked(host, 'gc', '--rebuild');
    t.equal(await masterOf(host, 'uplink'), BRIDGE);
    await network.del('web');
    t.strictSame(await belongings(host, 'uplink'), before, 'from a record that was made again');

    await network.add('web');
    await host.shell('rm -r /var/lib/cni/netmoor; ip netns delete web');
    await until(async () => (await asked(host, 'gc')).view.garbage.length > 0, 'the end of the container');
    t.strictSame(await belongings(host, 'uplink'), before, 'from no record at all');
    t.equal((await host.run(['ip', 'link', 'show', 'dev', BRIDGE])).code, 1);
    t.notMatch(await host.must(['ip', 'link', 'show', 'dev', 'uplink']), /altname/);
  });
});

t.test('a layer 2 network: tap devices, and who comes and goes', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
      ip tuntap add tap0 mode tap`);
    const vm = await host.container('vm');
    const members = ['tap0', ...['vm0', 'tap2'].map((name) => ({ interface: name, optional: true }))];
    const network = new Network(host, { name: 'wire', members, ipam: {} });
    const c1 = await network.container('c1');
    t.strictSame(c1.result.ips ?? [], []);
    t.equal(await masterOf(host, 'tap0'), 'nm-wire');
    await host.shell('ip link add vm0 type veth peer name eth0 netns vm');
    const held = host.start(['socat', 'TUN,tun-type=tap,iff-no-pi,tun-name=tap2', 'SYSTEM:sleep infinity']);
    await until(async () => (await host.run(['ip', 'link', 'show', 'tap2'])).code === 0, 'a machine');
    const c2 = await network.container('c2');
    t.equal(await masterOf(host, 'vm0'), 'nm-wire', 'what was missing is taken in with the next');
    await c1.place.shell('ip address add 10.9.0.1/24 dev eth0');
    await vm.shell('ip address add 10.9.0.2/24 dev eth0; ip link set eth0 up');
    await reaches(c1.place, '10.9.0.2');
    t.strictSame(await host.ip('-4', 'address', 'show', 'dev', 'nm-wire'), []);
    // A machine that ends, and one whose tap device a person plugs in, as libvirt does.
    await host.shell('ip link delete tap0; ip tuntap add tap1 mode tap; ip link set tap1 master nm-wire');
    t.match(await network.check('c2', c2.result), naming('tap0'));
    t.match((await asked(host, 'show')).view.segments, [
      {
        name: 'nm-wire',
        ports: [
          { name: 'tap1', member: false },
          { name: 'tap2', member: true },
          { name: 'vm0', member: true },
        ],
      },
    ]);
    for (const name of ['c1', 'c2']) await network.del(name);
    t.equal(await masterOf(host, 'tap1'), 'nm-wire', 'a machine keeps the bridge');
    t.equal(await masterOf(host, 'vm0'), 'nm-wire', 'and its members');
    await host.must(['ip', 'link', 'delete', 'tap1']);
    await asked(host, 'gc');
    t.equal(await masterOf(host, 'vm0'), 'nm-wire', 'one that is a member, too, as long as it runs');
    await held.stop();
    await until(
      async () => (await host.run(['ip', 'link', 'show', 'tap2'])).code !== 0,
      'the end of a machine',
    );
    await asked(host, 'gc');
    t.equal(await masterOf(host, 'vm0'), undefined);
    t.notMatch((await host.ip('link', 'show', 'dev', 'vm0'))[0]?.flags, ['UP'], 'down, as it was');
    t.equal((await host.run(['ip', 'link', 'show', 'dev', 'nm-wire'])).code, 1);
  });
});

t.test('what cannot be a member is refused, naming whose it is', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`ip link add quay type bridge; ip link add boat type veth peer name raft
      ip link set boat master quay; ip link add spare type veth peer name spare1
      ip link add above link raft type macvlan`);
    const first = new Network(host, { name: 'first', members: ['spare'], ipam: {} });
    await first.container('c0');
    await host.container('c1');
    const before = await state(host);
    const cases: [string, unknown[], string[]][] = [
      ['missing', ['eth7'], ['eth7']],
      ['loopback', ['lo'], ['lo', 'loopback']],
      ['a bridge', ['quay'], ['quay']],
      ['of another bridge', ['boat'], ['boat', 'quay']],
      ['of another network', ['spare'], ['spare', 'nm-first', 'first']],
      ['with addresses', ['uplink'], ['uplink', `${world.host4}/24`, 'moveAddresses']],
      ['with a macvlan on it', ['raft'], ['raft']],
      ['a pattern', ['tap*'], ['tap*']],
      ['itself', ['nm-second'], ['nm-second']],
      ['twice', ['raft', 'raft'], ['raft']],
      [
        'two that are moved',
        ['uplink', 'raft'].map((name) => ({ interface: name, moveAddresses: true })),
        ['raft'],
      ],
    ];
    for (const [what, members, named] of cases) {
      const bridge = what === 'itself' ? { bridge: 'nm-second' } : {};
      const network = new Network(host, { name: 'second', members, ...bridge });
      const { code, json } = await network.run('ADD', 'c1');
      t.strictSame([code, json?.code], [1, 7], what);
      t.match(`${json?.msg} ${json?.details}`, naming(...named), what);
    }
    for (const members of [['raft'], OFFICE.members]) {
      const { json } = await new Network(host, { ...OFFICE, members, bridge: 'boat' }).run('ADD', 'c1');
      t.match(json, { code: 103, msg: /boat/ }, 'what is to be the bridge and is none');
    }
    const foreign = { ...OFFICE, bridge: 'quay' };
    t.match((await new Network(host, foreign).run('ADD', 'c1')).json, { code: 7, msg: /quay/ });
    t.strictSame(await state(host), before);
    await host.shell(`ip nexthop add id 5 via ${world.router4} dev uplink
ip route add 198.18.0.0/16 nhid 5`);
    const byObject = await new Network(host, OFFICE).run('ADD', 'c1');
    t.match(byObject.json, { code: 7, msg: /198\.18\.0\.0/ }, 'a route by a nexthop object');
  });
});

t.test('without any way out of the host', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.must(['ip', 'link', 'delete', 'uplink']);
    for (const config of [
      { name: 'island' },
      { name: 'islet', isGateway: false, ipMasq: false, ipam: { subnet: '10.5.0.0/24' } },
      { name: 'rock', ipMasq: false, ipam: { ranges: [[{ subnet: 'fd00:5::/64' }]] } },
    ]) {
      const network = new Network(host, config);
      const [a, b] = [await network.container(`${config.name}1`), await network.container(`${config.name}2`)];
      for (const address of [b.ip4, b.ip6].filter(Boolean)) await reaches(a.place, address);
      if (config.isGateway !== false) await reaches(host, ...[a.ip4, a.ip6].filter(Boolean));
      t.equal(await network.check(`${config.name}1`, a.result), undefined, config.name);
      for (const each of [1, 2]) await network.del(`${config.name}${each}`);
    }
    t.strictSame(
      (await host.ip('link', 'show')).map(({ ifname }) => ifname),
      ['lo'],
    );
  });
});
