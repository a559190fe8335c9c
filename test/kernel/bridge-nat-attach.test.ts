/** bridge-nat's ADD and DEL against the kernel's own account of what there is. */
import t from 'tap';
import { Conversation, ask, lacking, serve, until, withHost, without, world } from './harness.ts';
import { BRIDGE_NAT, DUAL_STACK, Network } from './moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

t.test('a config of three keys makes a working network', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host);
    // Forwarding stays on once it was needed, and with it the kernel's anycast routes: compare with the state after
    // that.
    await network.container('first');
    await network.del('first');
    await host.removeContainer('first');
    const before = await host.snapshot({ ignoreFiles: /netmoor/ });
    const c1 = await network.container('c1');
    const c2 = await network.container('c2');
    await serve(host.outside, 'tcp', 80);
    await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
    await serve(c2.place, 'tcp', 80);
    t.match(
      await ask(c1.place, 'tcp', world.internet4, 80),
      { from: 'outside', peer: world.host4 },
      'out by NAT',
    );
    t.match(
      await ask(c1.place, 'tcp', world.internet6, 80),
      { from: 'outside6', peer: world.host6 },
      'in IPv6 as well',
    );
    t.match(
      await ask(c1.place, 'tcp', c2.ip4, 80),
      { from: 'c2', peer: c1.ip4 },
      'neighbours see each other as they are',
    );
    await network.del('c1');
    await network.del('c2');
    await host.removeContainer('c1');
    await host.removeContainer('c2');
    const after = await host.snapshot({ ignoreFiles: /netmoor/ });
    t.same(without(after, 'processes'), without(before, 'processes'), 'nothing is left');
  });
});

t.test('the result says what the kernel has', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.must(['ip', 'link', 'set', 'uplink', 'mtu', '1400']);
    const routes = [
      { dst: '0.0.0.0/0', priority: 7, mtu: 1300, advmss: 1200 },
      { dst: '192.0.2.0/24', table: 77 },
      { dst: '198.18.0.0/15', scope: 253 },
      { dst: '::/0' },
    ];
    const network = new Network(host, { bridge: 'quay', ipam: { ...DUAL_STACK.ipam, routes } });
    const { place, result } = await network.container('c1', { mac: '02:00:5e:10:00:01' });
    t.match(result, {
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'quay', mtu: 1400 },
        { mtu: 1400 },
        { name: 'eth0', mac: '02:00:5e:10:00:01', mtu: 1400, sandbox: '/run/netns/c1' },
      ],
      ips: [
        { address: '10.77.0.2/24', gateway: '10.77.0.1', interface: 2 },
        { address: 'fd00:77::2/64', gateway: 'fd00:77::1', interface: 2 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '10.77.0.1', priority: 7, mtu: 1300, advmss: 1200 },
        { dst: '192.0.2.0/24', gw: '10.77.0.1', table: 77 },
        { dst: '198.18.0.0/15', scope: 253 },
        { dst: '::/0', gw: 'fd00:77::1' },
      ],
    });
    const [eth0] = await place.ip('address', 'show', 'dev', 'eth0');
    t.match(eth0, { address: '02:00:5e:10:00:01', mtu: 1400, operstate: 'UP' });
    const shown = await place.must(['ip', 'address', 'show', 'dev', 'eth0', 'scope', 'global']);
    t.match(shown, /inet 10\.77\.0\.2\/24 brd 10\.77\.0\.255/);
    t.match(shown, /inet6 fd00:77::2\/64 scope global nodad/);
    t.notMatch(shown, /tentative/, 'usable at once');
    const table = await place.must(['ip', 'route', 'show', 'table', 'all']);
    t.match(table, /default via 10\.77\.0\.1 dev eth0 proto static metric 7 mtu 1300 advmss 1200/);
    t.match(table, /192\.0\.2\.0\/24 via 10\.77\.0\.1 dev eth0 table 77/);
    t.match(table, /198\.18\.0\.0\/15 dev eth0 proto static scope link/);
    t.match(await place.must(['ip', '-6', 'route']), /default via fd00:77::1 dev eth0/);
    const [bridge] = await host.ip('-d', 'link', 'show', 'quay');
    t.match(bridge, { linkinfo: { info_kind: 'bridge' }, ifalias: 'netmoor', mtu: 1400 });
    const host4 = result.interfaces?.[1];
    t.match((await host.ip('link', 'show', 'dev', host4?.name ?? ''))[0], {
      master: 'quay',
      address: host4?.mac,
    });
    t.equal(await network.check('c1', result), undefined, 'CHECK agrees');
  });
});

t.test(
  'the same container gets the same MAC address, name of the host end, and addresses',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, DUAL_STACK);
      await network.container('c0');
      const first = await network.container('c1');
      await host.removeContainer('c1');
      const again = await network.container('c1');
      t.same(again.result, first.result, 'restarted without DEL');
      t.equal(await network.check('c1', again.result), undefined);
      await network.del('c1');
      const later = await network.container('c2');
      t.not(later.ip4, first.ip4, 'what was just released rests');
    });
  },
);

t.test('neighbours hear at once that an address has moved', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, keepBridge: true });
    const witness = await network.container('witness');
    const first = await network.container('c1', {
      ips: ['10.77.0.50', 'fd00:77::50'],
      mac: '02:00:00:00:00:aa',
    });
    await serve(first.place, 'tcp', 80);
    await serve(first.place, 'tcp', 80, { address: '::' });
    t.ok(await ask(witness.place, 'tcp', '10.77.0.50', 80));
    t.ok(await ask(witness.place, 'tcp', 'fd00:77::50', 80));
    await network.del('c1');
    await network.container('c2', { ips: ['10.77.0.50', 'fd00:77::50'], mac: '02:00:00:00:00:bb' });
    const known = async () =>
      (await witness.place.must(['ip', 'neighbour', 'show'])).match(/02:00:00:00:00:bb/g)?.length;
    await until(
      async () => (await known()) === 2,
      'both neighbour entries of the witness name the new MAC address',
    );
  });
});

t.test('DEL of anything succeeds, however often', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const nothing = await network.run('DEL', 'c1', {}, {}, '');
    t.equal(nothing.code, 0, 'what never was');
    t.equal(nothing.stdout, '');
    await network.container('c1');
    await host.removeContainer('c1');
    t.equal((await network.run('DEL', 'c1')).code, 0, 'the namespace is gone');
    t.equal((await network.run('DEL', 'c1')).code, 0, 'again');
    t.same(await host.ip('link', 'show', 'type', 'bridge'), [], 'the bridge went with it');
    t.same(await host.nft(), []);
    await network.container('c2');
    const other = await network.run(
      'DEL',
      'c2',
      {},
      { bridge: 'another', ipam: { ranges: [[{ subnet: '192.168.9.0/24' }]] }, prevResult: {} },
    );
    t.equal(other.code, 0, 'the config has changed meanwhile');
    t.same(await host.ip('link', 'show', 'type', 'bridge'), [], 'the record counts, not the config');
    t.equal(
      (await network.run('DEL', 'c2', {}, {}, '/etc/passwd')).code,
      0,
      'a path that is no namespace is a namespace gone',
    );
  });
});

t.test(
  'forty containers at once, on a bridge that nobody has made yet',
  { skip, timeout: 120_000 },
  async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, DUAL_STACK);
      const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
      for (const name of names) await host.container(name);
      const results = await Promise.all(names.map((name) => network.add(name)));
      const addresses = results.flatMap(({ ips = [] }) => ips.map(({ address }) => address));
      t.equal(new Set(addresses).size, 80, 'eighty different addresses');
      t.equal((await host.ip('link', 'show', 'master', 'nm-harbour')).length, 40);
      await Promise.all(names.map((name) => network.del(name)));
      t.same(await host.ip('link', 'show', 'type', 'bridge'), []);
      t.same(await host.nft(), []);
    });
  },
);

t.test('two networks attached at once to one container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const a = new Network(host, { name: 'a' });
    const b = new Network(host, { name: 'b' });
    const place = await host.container('c1');
    await Promise.all([a.add('c1', { ifname: 'eth0' }), b.add('c1', { ifname: 'eth1' })]);
    await serve(host.outside, 'tcp', 80);
    await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
    t.match(await ask(place, 'tcp', world.internet4, 80), { from: 'outside' });
    for (let time = 0; time < 4; time++)
      t.match(await ask(place, 'tcp', world.internet6, 80), { from: 'outside6' }, 'one default route leads');
    await a.del('c1', { ifname: 'eth0' });
    t.match(await ask(place, 'tcp', world.internet4, 80), { from: 'outside' }, 'the other takes over');
    await b.del('c1', { ifname: 'eth1' });
    t.same(await host.ip('link', 'show', 'type', 'bridge'), []);
  });
});

t.test("a bridge that a person made stays, without netmoor's addresses", { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(
      'ip link add office type bridge\nip link add nic type veth peer name wall\nip link set nic master office up\nip link set wall up\nip link set office up',
    );
    const before = await host.ip('address', 'show', 'dev', 'office');
    const network = new Network(host, { ...DUAL_STACK, bridge: 'office', isGateway: true });
    await network.container('c1');
    t.match(await host.must(['ip', 'address', 'show', 'dev', 'office']), /10\.77\.0\.1\/24/);
    await network.del('c1');
    const kept = (links: typeof before) => links.map(({ ifname, address }) => ({ ifname, address }));
    t.same(kept(await host.ip('address', 'show', 'dev', 'office')), kept(before));
    t.notMatch(await host.must(['ip', 'address', 'show', 'dev', 'office']), /10\.77\.0\.1|fd00:77::1/);
  });
});

t.test('a bridge into which something else is plugged stays until that has gone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, bridge: 'zone' });
    await network.container('c1');
    await host.shell('ip link add tap0 type veth peer name vm0\nip link set tap0 master zone up');
    await network.del('c1');
    t.equal(
      (await host.ip('link', 'show', 'type', 'bridge')).length,
      1,
      'the virtual machine keeps its network',
    );
    await host.must(['ip', 'link', 'delete', 'tap0']);
    await network.container('c2');
    await network.del('c2');
    t.same(await host.ip('link', 'show', 'type', 'bridge'), []);
  });
});

t.test('addresses from host-local and static', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const leases = () =>
      host.must(['sh', '-c', 'ls /var/lib/cni/networks/harbour 2>/dev/null | grep -c "^10" || true']);
    const local = new Network(host, {
      cniVersion: '1.0.0',
      ipam: {
        type: 'host-local',
        ranges: DUAL_STACK.ipam.ranges,
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
    });
    const c1 = await local.container('c1');
    await serve(host.outside, 'tcp', 80);
    t.match(await ask(c1.place, 'tcp', world.internet4, 80), { peer: world.host4 });
    t.equal((await leases()).trim(), '1');
    await host.removeContainer('c1');
    t.equal((await local.run('DEL', 'c1', {}, {}, '')).code, 0);
    t.equal((await leases()).trim(), '0', 'given back without a namespace');
    const fixed = new Network(host, {
      cniVersion: '1.0.0',
      name: 'fixed',
      ipam: {
        type: 'static',
        addresses: [{ address: '10.78.0.9/24', gateway: '10.78.0.1' }],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    });
    const c2 = await fixed.container('c2');
    t.equal(c2.ip4, '10.78.0.9');
    t.match(await ask(c2.place, 'tcp', world.internet4, 80), { peer: world.host4 });
    await fixed.del('c2');
  });
});

t.test('an ADD that fails after host-local has leased gives the address back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, {
      cniVersion: '1.0.0',
      bridge: 'uplink',
      ipam: { type: 'host-local', subnet: '10.77.0.0/24' },
    });
    await host.container('c1');
    const refused = await network.run('ADD', 'c1');
    t.match(refused, { code: 1, json: { code: 103, msg: naming('uplink', 'veth') } });
    t.equal(
      (await host.must(['sh', '-c', 'ls /var/lib/cni/networks/harbour | grep -c "^10" || true'])).trim(),
      '0',
    );
  });
});

t.test('a UDP flow moves to the new container at once', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const ports = [{ hostPort: 5353, containerPort: 53, protocol: 'udp' }];
    const c1 = await network.container('c1', { ports });
    await serve(c1.place, 'udp', 53);
    const talk = new Conversation(host.outside, 'udp', world.host4, 5353);
    t.match(await talk.ask(), { from: 'c1' });
    await network.del('c1', { ports });
    const c2 = await network.container('c2', { ports });
    await serve(c2.place, 'udp', 53);
    t.match(await talk.ask(), { from: 'c2' }, 'the same socket outside, the same flow');
    await talk.close();
  });
});

t.test('with enabledad an address that somebody else on the bridge has is refused', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, bridge: 'zone', enabledad: true });
    await host.shell(
      'ip link add zone type bridge\nip link set zone up\nip link add tap0 type veth peer name vm0',
    );
    const vm = await host.container('vm');
    await host.shell('ip link set vm0 netns vm\nip link set tap0 master zone up');
    await vm.shell('ip address add fd00:77::50/64 dev vm0 nodad\nip link set vm0 up');
    await host.container('c1');
    const refused = await network.run('ADD', 'c1', { ips: ['10.77.0.50', 'fd00:77::50'] });
    t.match(refused, { code: 1, json: { code: 101, msg: naming('fd00:77::50') } });
    t.equal(
      (await host.ip('link', 'show', 'master', 'zone')).length,
      1,
      'only the virtual machine is plugged in',
    );
    const result = await network.add('c1', { ips: ['10.77.0.51', 'fd00:77::51'] });
    t.match(
      await host.at('/run/netns/c1').must(['ip', 'address', 'show', 'dev', 'eth0']),
      /fd00:77::51\/64 scope global \n/,
    );
    t.equal(await network.check('c1', result), undefined);
    await network.del('c1');
  });
});

t.test('one container publishes the same port through two networks', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ports = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    const a = new Network(host, { name: 'a' });
    const b = new Network(host, { name: 'b' });
    const place = await host.container('c1');
    const first = await a.add('c1', { ports, ifname: 'eth0' });
    const second = await b.add('c1', { ports, ifname: 'eth1' });
    await serve(place, 'tcp', 80);
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
    const [{ address = '' } = {}] = first.ips ?? [];
    t.match(JSON.stringify(await host.nft()), address.split('/')[0], 'by the first');
    await host.container('c2');
    t.match(
      await b.run('ADD', 'c2', { ports }),
      { code: 1, json: { code: 102, msg: naming('a/c1/eth0') } },
      'another container is refused',
    );
    await a.del('c1', { ifname: 'eth0' });
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' }, 'the second has taken over');
    t.equal(await b.check('c1', second, { ifname: 'eth1' }), undefined);
    t.match(
      await b.run('ADD', 'c2', { ports }),
      { code: 1, json: { code: 102, msg: naming('b/c1/eth1') } },
      'and holds it',
    );
    await b.del('c1', { ifname: 'eth1' });
    t.same(await host.nft(), []);
    await b.add('c2', { ports });
  });
});

t.test('on a host that drops what it forwards, as Docker leaves it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const firewall = async () =>
      (await host.must(['iptables-nft', '-S'])) + (await host.must(['ip6tables-nft', '-S']));
    await host.shell('iptables-nft -P FORWARD DROP\nip6tables-nft -P FORWARD DROP');
    const before = await firewall();
    const network = new Network(host, DUAL_STACK);
    const ports = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    const { place, ip4 } = await network.container('c1', { ports });
    await serve(place, 'tcp', 80);
    await serve(host.outside, 'tcp', 80);
    await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
    t.match(await ask(place, 'tcp', world.internet4, 80), { from: 'outside' });
    t.match(await ask(place, 'tcp', world.internet6, 80), { from: 'outside6' });
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
    await host.outside.must(['ip', 'route', 'add', '10.77.0.0/24', 'via', world.host4]);
    t.equal(
      await ask(host.outside, 'tcp', ip4, 80),
      undefined,
      'what is not published stays behind the policy',
    );
    t.match(await firewall(), /-A FORWARD -i nm-harbour/, 'iptables can read what was added');
    await network.del('c1');
    t.equal(await firewall(), before, 'the policy and nothing else');
  });
});

t.test('the own namespace, where CNI_NETNS_OVERRIDE says that it is meant', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ipam: {} });
    const own = '/proc/1/ns/net';
    t.match(await network.run('ADD', 'c1', {}, {}, own), { code: 1, json: { code: 4 } });
    const call = {
      config: network.config,
      containerId: 'c1',
      ifname: 'eth0',
      netns: own,
      env: { CNI_NETNS_OVERRIDE: '1' },
    };
    t.equal((await host.cni(BRIDGE_NAT, 'ADD', call)).code, 0);
    t.match(await host.must(['ip', 'address', 'show', 'dev', 'eth0']), /state UP/);
    t.equal((await host.cni(BRIDGE_NAT, 'DEL', call)).code, 0);
    t.same(await host.ip('link', 'show', 'type', 'veth').then((links) => links.map(({ ifname }) => ifname)), [
      'uplink',
    ]);
  });
});
