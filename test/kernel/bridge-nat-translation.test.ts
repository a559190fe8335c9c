/** Which addresses bridge-nat translates to which, as those see it who send and receive. */
import t from 'tap';
import { naming } from '../naming.ts';
import { Conversation, ask, lacking, serve, until, withHost, without, world } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { asked, netmoor } from './netmoor-command.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

const OWN = { ipv4: '203.0.113.5', ipv6: '2001:db8::5' };
const STORE = '/var/lib/cni/netmoor/leases.db';

/** Further addresses of the host on its uplink, and servers in the world outside that tell whom they see. */
async function dressed(host: Host): Promise<void> {
  await host.shell(
    ['203.0.113.5/24', '203.0.113.9/24', '2001:db8::5/64', '2001:db8::9/64']
      .map(
        (address) =>
          `ip address add ${address} dev uplink ${address.includes(':') ? 'nodad preferred_lft 0' : ''}`,
      )
      .join('\n'),
  );
  await serve(host.outside, 'tcp', 80);
  await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
}

/** Whom the world outside sees when the container calls, in both families. */
async function seenOutside(place: Place): Promise<(string | undefined)[]> {
  const four = await ask(place, 'tcp', world.internet4, 80);
  const six = await ask(place, 'tcp', world.internet6, 80);
  return [four?.peer, six?.peer];
}

/** ICMP echo requests that a place has received, of both families. */
async function pings(place: Place): Promise<number> {
  const text = await place.shell(
    "awk '/^Icmp:/ && !seen { getline; print $10; seen = 1 }' /proc/net/snmp; awk '$1 == \"Icmp6InEchos\" { print $2 }' /proc/net/snmp6",
  );
  return text
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0);
}

t.test('by which address containers leave', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await dressed(host);
    await host.outside.shell(`ip route add 10.77.0.0/16 via ${world.host4}
      ip -6 route add fd00:77::/64 via ${world.host6}`);
    const own = new Network(host, { ...DUAL_STACK, snat: OWN });
    const c1 = await own.container('c1');
    t.same(await seenOutside(c1.place), [OWN.ipv4, OWN.ipv6], "by addresses of one's own");
    t.equal(await own.check('c1', c1.result), undefined);
    await host.shell('ip address del 203.0.113.5/24 dev uplink');
    t.match(await own.check('c1', c1.result), naming(OWN.ipv4), 'which CHECK misses when they are gone');
    await own.del('c1');

    const refused = await own.run('ADD', 'c1');
    t.match(refused, { code: 1, json: { code: 7, msg: naming('snat.ipv4', OWN.ipv4) } }, 'and ADD refuses');
    t.same((await asked(host, 'ls')).view, [], 'leaving nothing');

    const half = new Network(host, { ...DUAL_STACK, ipMasq: { ipv4: true, ipv6: false } });
    await half.add('c1');
    t.same(await seenOutside(c1.place), [world.host4, c1.ip6], 'one family masqueraded, the other not');
    await half.del('c1');

    const elsewhere = new Network(host, {
      ...DUAL_STACK,
      uplink: ['other', 'another'],
      snat: { ipv6: world.host6 },
    });
    const { stderr } = await elsewhere.run('ADD', 'c1');
    t.match(stderr, naming('other'), 'an uplink that is not there is told');
    t.same(await seenOutside(c1.place), [c1.ip4, c1.ip6], 'nothing behind other interfaces');
    await elsewhere.del('c1');
    const here = new Network(host, {
      ...DUAL_STACK,
      uplink: ['other', 'uplink'],
      snat: { ipv6: '2001:db8::9' },
    });
    const result = await here.add('c1');
    t.same(await seenOutside(c1.place), [world.host4, '2001:db8::9'], 'behind those named');
    t.equal(await here.check('c1', result), undefined);
  });
});

t.test("portmap's keys: whom a published port sees, and for whom it is there", { skip }, async (t) => {
  await withHost(t, async (host) => {
    await dressed(host);
    const wish = {
      ports: [
        { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
        { hostPort: 5300, containerPort: 53, protocol: 'udp' },
      ],
    };
    const kept = new Network(host, { ...DUAL_STACK, snat: false });
    const c1 = await kept.container('c1', wish);
    const c2 = await kept.container('c2');
    const server = await serve(c1.place, 'udp', 53);
    await serve(c1.place, 'tcp', 80);
    // The answer comes from another address than was asked, as it does with portmap.
    await c2.place.shell(`echo '?' | socat -u STDIN UDP4:${world.host4}:5300`);
    await server.until(
      () => server.errors.includes(`AF=2 ${c2.ip4}:`),
      'the question of a neighbour as it is',
    );
    await kept.del('c2');
    await kept.del('c1', wish);

    const all = new Network(host, { ...DUAL_STACK, masqAll: true });
    await all.add('c1', wish);
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1', peer: '10.77.0.1' }, 'masqAll');
    await all.del('c1', wish);

    const six = await serve(c1.place, 'tcp', 80, { address: '::', name: 'c1-6' });
    const tried = async (conditionsV4: string[], conditionsV6: string[] = []): Promise<boolean[]> => {
      const network = new Network(host, { ...DUAL_STACK, conditionsV4, conditionsV6 });
      const result = await network.add('c1', wish);
      t.equal(await network.check('c1', result, wish), undefined);
      const answers = [
        await ask(host.outside, 'tcp', world.host4, 8080),
        await ask(host, 'tcp', world.host4, 8080),
        await ask(host.outside, 'tcp', world.host6, 8080),
      ];
      await network.del('c1', wish);
      return answers.map((answer) => answer !== undefined);
    };
    t.same(await tried(['ip saddr 203.0.113.0/24']), [true, true, true], 'met');
    t.same(await tried(['ip saddr != 203.0.113.1']), [false, true, true], 'a negation');
    t.same(
      await tried(['iifname "upl*"'], ['ip6 saddr 2001:db9::/64']),
      [true, false, false],
      'an interface',
    );
    t.same(
      await tried(['!', '-s', '203.0.113.1', '-d', '203.0.113.0/29'], ['-i', 'other']),
      [false, true, false],
      'as iptables says it',
    );
    await six.stop();
  });
});

t.test('forwards of the network, and public addresses one to one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await dressed(host);
    const warm = new Network(host, DUAL_STACK);
    await warm.container('warm');
    await warm.del('warm');
    await host.removeContainer('warm');
    const before = await host.snapshot({ ignoreFiles: /netmoor/ });
    const network = new Network(host, {
      ...DUAL_STACK,
      uplink: 'uplink',
      forwards: [
        { protocol: 'tcp', hostIP: OWN.ipv4, hostPort: 22210, to: '10.77.0.6:22' },
        { hostPort: 22211, range: 2, to: '[fd00:77::6]:22' },
      ],
      oneToOne: [
        { public: '203.0.113.9', container: '10.77.0.9' },
        { public: '2001:db8::9', container: 'fd00:77::9' },
        { public: '203.0.113.10', container: '10.77.0.10' },
        { public: '2001:db8::10', container: 'fd00:77::10' },
      ],
    });
    const answers = async (...to: [string, number][]): Promise<(string | undefined)[]> =>
      Promise.all(to.map(async ([address, port]) => (await ask(host.outside, 'tcp', address, port))?.from));

    const c6 = await network.container('c6', { ips: ['10.77.0.6', 'fd00:77::6'] });
    await serve(c6.place, 'tcp', 22);
    await serve(c6.place, 'tcp', 22, { address: '::' });
    await serve(c6.place, 'tcp', 23, { address: '::', name: 'second' });
    t.same(await answers([OWN.ipv4, 22210], [world.host4, 22210], [OWN.ipv6, 22211], [OWN.ipv6, 22212]), [
      'c6',
      undefined,
      'c6',
      'second',
    ]);
    const [listed] = (await asked(host, 'ls')).view;
    t.match(listed?.ports, [
      { hostIp: OWN.ipv4, hostPort: 22210, containerPort: 22, count: 1, to: '10.77.0.6' },
      { hostIp: '::', hostPort: 22211, containerPort: 22, count: 2, to: 'fd00:77::6' },
    ]);
    t.equal(await network.check('c6', c6.result), undefined);
    const rival = new Network(host, { name: 'quay', ipam: { subnet: '10.78.0.0/24' } });
    await host.container('rival');
    const taken = await rival.run('ADD', 'rival', {
      ports: [{ hostPort: 22210, containerPort: 22, protocol: 'tcp' }],
    });
    t.match(taken.json?.msg, naming('22210', 'harbour/c6/eth0'), 'a forwarded port is taken');

    const service = await serve(host, 'udp', 5000, { address: '203.0.113.9' });
    const talk = new Conversation(host.outside, 'udp', '203.0.113.9', 5000);
    t.match(await talk.ask(), { from: 'host' });
    await service.stop();
    const c9 = await network.container('c9', { ips: ['10.77.0.9', 'fd00:77::9'] });
    const c10 = await network.container('c10', { ips: ['10.77.0.10', 'fd00:77::10'] });
    await serve(c9.place, 'udp', 5000);
    t.match(await talk.ask(), { from: 'c9' }, 'a flow to the host goes to the container now');
    await talk.close();
    for (const { place } of [c9, c10]) {
      await serve(place, 'tcp', 4711);
      await serve(place, 'tcp', 4711, { address: '::', name: `${place.name}-6` });
    }
    t.same(
      await answers(
        ['203.0.113.9', 4711],
        ['2001:db8::9', 4711],
        ['203.0.113.10', 4711],
        ['2001:db8::10', 4711],
      ),
      ['c9', 'c9-6', 'c10', 'c10-6'],
      'all of a public address, whether or not the host has it',
    );
    t.same(await seenOutside(c9.place), ['203.0.113.9', '2001:db8::9'], 'and back');
    t.same(await seenOutside(c10.place), ['203.0.113.10', '2001:db8::10']);
    t.same(await seenOutside(c6.place), [world.host4, world.host6], 'others are masqueraded');
    for (const [{ place }, ...addresses] of [
      [c9, '203.0.113.9', '2001:db8::9'],
      [c10, '203.0.113.10', '2001:db8::10'],
    ] as const) {
      const heard = await pings(place);
      for (const address of addresses)
        t.equal((await host.outside.run(['ping', '-c1', '-W2', address])).code, 0, `ping ${address}`);
      t.equal(await pings(place), heard + 2, 'the container itself answers');
      t.equal((await place.run(['ping', '-c1', '-W2', world.internet4])).code, 0, 'and asks');
    }
    t.equal(await network.check('c9', c9.result), undefined);
    t.equal(await network.check('c10', c10.result), undefined);
    t.match((await ask(host, 'tcp', '203.0.113.10', 4711))?.from, 'c10', 'from the host itself');

    const held = { ports: [{ hostPort: 443, containerPort: 443, protocol: 'tcp', hostIP: '203.0.113.9' }] };
    const refused = await rival.run('ADD', 'rival', held);
    t.match(refused.json?.msg, naming('203.0.113.9', '443', 'harbour/c9/eth0'), 'no port of it is left');
    await rival.add('rival', { ports: [{ hostPort: 4711, containerPort: 4711, protocol: 'tcp' }] });
    t.same(await answers(['203.0.113.9', 4711]), ['c9'], 'what is published everywhere is not there');
    await network.del('c9');
    await rival.del('rival');
    await rival.add('rival', held);
    const whole = await network.run('ADD', 'c9', { ips: ['10.77.0.9'] });
    t.match(whole.json?.msg, naming('203.0.113.9', '443', 'quay/rival/eth0'), 'nor is it whole');
    await rival.del('rival', held);

    await host.shell('ip neighbour del proxy 203.0.113.10 dev uplink');
    t.match(await network.check('c10', c10.result), naming('203.0.113.10', 'uplink'), 'nobody answers');
    t.equal((await netmoor(host, 'repair')).code, 0);
    t.equal(await network.check('c10', c10.result), undefined, 'until it is repaired');
    await network.del('c10');
    await network.del('c6');
    for (const name of ['c6', 'c9', 'c10', 'rival']) await host.removeContainer(name);
    const after = await host.snapshot({ ignoreFiles: /netmoor/ });
    t.same(without(after, 'processes'), without(before, 'processes'), 'nothing is left');
    t.equal(await host.must(['ip', 'neighbour', 'show', 'proxy']), '');

    const only = new Network(host, {
      ipam: { subnet: '10.77.0.0/24' },
      oneToOne: { [world.host4]: '10.77.0.2' },
    });
    await host.shell('ip address flush dev uplink; ip address add 203.0.113.2/24 dev uplink');
    await host.container('c1');
    t.match((await only.run('ADD', 'c1')).json?.msg, naming(world.host4), "not the host's only address");
    await host.shell(`ip address add ${world.host6}/64 dev uplink nodad
ip -6 route add 2001:db8:5::/48 via 2001:db8::5 dev uplink
ip nexthop add id 1 via ${world.router4} dev uplink; ip route add default nhid 1`);
    for (const [router, held] of [
      [world.router4, '10.77.0.2'],
      ['2001:db8::5', 'fd00:77::2'],
    ] as const) {
      const config = { ...DUAL_STACK, uplink: 'uplink', oneToOne: { [router]: held } };
      const { json } = await new Network(host, config).run('ADD', 'c1');
      t.match(json, { code: 7, msg: naming(router, 'uplink') }, 'nor a router of the LAN');
    }
  });
});

t.test('a store that is lost has it back from the kernel', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await dressed(host);
    const network = new Network(host, {
      ...DUAL_STACK,
      ...{ snat: { ipv6: OWN.ipv6 }, masqAll: true, uplink: 'uplink' },
      conditionsV4: ['ip saddr != 10.0.0.0/8', 'iifname "upl*"'],
      forwards: [{ hostIP: OWN.ipv4, hostPort: 22210, to: '10.77.0.2:22' }],
      oneToOne: { '203.0.113.10': '10.77.0.3', '2001:db8::10': 'fd00:77::3' },
    });
    const wish = {
      ports: [
        { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: world.host4 },
        { hostPort: 8081, containerPort: 80, protocol: 'tcp' },
      ],
    };
    const c1 = await network.container('c1', wish);
    const c2 = await network.container('c2');
    const rules = async (): Promise<string[]> =>
      (await host.must(['nft', 'list', 'ruleset']))
        .split('\n')
        .map((line) => line.replace(/[ ,}]+$/, ''))
        .sort();
    const kernel = await rules();
    await host.shell(`rm ${STORE}*`);
    t.same((await asked(host, 'gc')).view.garbage, [], 'what lives is left alone');
    t.equal((await asked(host, 'gc', '--rebuild')).view.recovered.length, 2);
    t.equal(await network.check('c1', c1.result, wish), undefined, 'all that was promised');
    t.equal(await network.check('c2', c2.result), undefined);
    await host.shell('nft delete table inet netmoor; nft delete table bridge netmoor 2>/dev/null || true');
    const third = await network.container('c3');
    await network.del('c3');
    t.ok(third.ip4);
    t.same(await rules(), kernel, 'the tables are made of it again');

    await host.shell(`rm ${STORE}*`);
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    const garbage = async () => (await asked(host, 'gc')).view.garbage.map(({ what }) => what).join('\n');
    await until(
      async () => (await host.ip('link', 'show', 'type', 'veth')).length === 1,
      'the veths are gone',
    );
    t.match(await garbage(), naming('203.0.113.10', '2001:db8::10'), 'nobody answers for the dead');
    t.equal(await host.must(['ip', 'neighbour', 'show', 'proxy']), '');
    t.equal((await netmoor(host, 'gc')).code, 0);
    t.same(await host.nft(), []);
  });
});

t.test('all ports of an address are one element', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await dressed(host);
    const network = new Network(host, DUAL_STACK);
    const all = { hostPort: 1, containerPort: 1, range: 65535, hostIP: OWN.ipv4 };
    const wish = {
      ports: [
        { ...all, protocol: 'tcp' },
        { ...all, protocol: 'udp' },
      ],
    };
    const before = await serve(host, 'udp', 65535, { address: OWN.ipv4 });
    const talk = new Conversation(host.outside, 'udp', OWN.ipv4, 65535);
    t.match(await talk.ask(), { from: 'host' });
    await before.stop();
    const c1 = await network.container('c1', wish);
    await serve(c1.place, 'udp', 65535);
    t.match(await talk.ask(), { from: 'c1' }, 'a flow of UDP does not go on to where it went');
    await talk.close();
    for (const port of [1, 65535]) {
      await serve(c1.place, 'tcp', port);
      t.match(
        await ask(host.outside, 'tcp', OWN.ipv4, port),
        { from: 'c1', peer: world.router4 },
        `port ${port}`,
      );
    }
    const elements = await host.must(['nft', 'list', 'map', 'inet', 'netmoor', 'publish4_range']);
    t.equal(elements.match(/1-65535/g)?.length, 2);
    t.equal(await network.check('c1', c1.result, wish), undefined);
    await host.container('c2');
    const one = { ports: [{ hostPort: 4711, containerPort: 4711, protocol: 'udp' }] };
    t.match(
      (await network.run('ADD', 'c2', one)).json?.msg,
      naming('4711', 'harbour/c1/eth0'),
      'each is taken',
    );
    await host.shell(`rm ${STORE}*`);
    t.equal((await asked(host, 'gc', '--rebuild')).view.recovered.length, 1);
    t.match(
      (await asked(host, 'ls')).view[0]?.ports.map(({ count }) => count),
      [65535, 65535],
    );
    t.equal(await network.check('c1', c1.result, wish), undefined, 'recovered whole');
    await network.del('c1', wish);
    t.same(await host.nft(), []);
  });
});
