/**
 * What cannot work is refused before it happens, naming whose it is: a port of a service of the host, a subnet of
 * another network or of the host's own, a gateway that cannot be reached.
 */
import t from 'tap';
import { ask, lacking, serve, until, without, withHost, world } from './harness.ts';
import type { CniAnswer, CniJson, Host, Snapshot } from './harness.ts';
import { OWN_PLUGINS } from './harness-cni.ts';
import { BRIDGE_NAT, DUAL_STACK, Network } from './moorings.ts';
import type { PortMapping, Wish } from './moorings.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;
const ONLY4 = { ipam: { subnet: '10.77.0.0/24' } };

async function dump(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /\/netmoor/ }), 'processes');
}

async function refused(network: Network, name: string, wish: Wish = {}): Promise<CniJson> {
  await network.host.container(name);
  const answer: CniAnswer = await network.run('ADD', name, wish);
  if (answer.code === 0) throw new Error(`ADD ${name} was not refused: ${answer.stdout}`);
  return answer.json ?? {};
}

function publish(hostPort: number, more: Partial<PortMapping> = {}): Wish {
  return { ports: [{ hostPort, containerPort: 80, ...more }] };
}

t.test('ports that services of the host have', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const both = new Network(host, DUAL_STACK);
    const only4 = new Network(host, {
      ...ONLY4,
      name: 'dock',
      bridge: 'dock',
      ipam: { subnet: '10.78.0.0/24' },
    });
    await serve(host, 'tcp', 2222);
    await serve(host, 'tcp', 2223, { address: '127.0.0.1' });
    await serve(host, 'udp', 2224);
    await serve(host, 'tcp', 2225, { address: '::' });
    await serve(host, 'tcp', 2226, { address: '::1' });
    const dual = host.start(['socat', '-d', '-d', 'TCP6-LISTEN:2227,ipv6only=0,fork', 'SYSTEM:true']);
    await dual.until(() => dual.errors.includes('listening on'), 'the server of both families');
    const cases: readonly (readonly [Network, Wish, readonly string[] | undefined])[] = [
      [both, publish(2222), ['2222/tcp', '"socat"', '0.0.0.0:2222']],
      [both, publish(2200, { range: 50 }), ['2222/tcp']],
      [both, publish(2222, { hostIP: world.host4 }), ['2222/tcp', world.host4]],
      [both, publish(2222, { protocol: 'udp' }), undefined],
      [both, publish(2222, { hostIP: world.host6 }), undefined],
      [both, publish(2223), ['127.0.0.1:2223']],
      [both, publish(2223, { hostIP: world.host4 }), undefined],
      [both, publish(2224, { protocol: 'udp' }), ['2224/udp']],
      [both, publish(2225), ['[::]:2225']],
      [only4, publish(2225), undefined],
      [only4, publish(2226), undefined],
      [only4, publish(2227), ['[::]:2227']],
      [only4, publish(2227, { hostIP: '127.0.0.1' }), ['[::]:2227']],
    ];
    await host.container('c');
    const before = await dump(host);
    t.match((await both.run('ADD', 'c', publish(2222))).json, { code: 102 });
    t.same(await dump(host), before, 'nothing is left');
    for (const [index, [network, wish, msg]] of cases.entries()) {
      const name = `c${index}`;
      if (msg === undefined) {
        await network.container(name, wish);
        await network.del(name, wish);
      } else
        t.match(
          await refused(network, name, wish),
          { code: 102, msg: naming(...msg), details: String },
          name,
        );
    }
    const server = await host.must(['ss', '-Hltnp', 'sport = :2223']);
    const pid = /pid=(\d+)/.exec(server)?.[1] ?? 'none';
    t.match((await refused(both, 'whose', publish(2223))).msg, ` ${pid} `, 'which is its own');
    t.match(await ask(host.outside, 'tcp', world.host4, 2222), { from: 'host' }, 'and nobody took anything');
  });
});

/** Listens under a name of its own, with these arguments. */
async function listen(host: Host, port: number, name: string, ...args: string[]): Promise<void> {
  const script =
    "open(my $f,'>','/proc/self/comm'); syswrite $f,shift; close $f; $s=IO::Socket::INET->new(" +
    "LocalPort=>shift,Listen=>9)||die; syswrite STDOUT,'there'; sleep 1e6";
  const server = host.start(['perl', '-MIO::Socket::INET', '-e', script, name, `${port}`, ...args]);
  await server.until(() => server.output === 'there', `the server on ${port}`);
}

t.test('who has a port', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, ONLY4);
    await listen(host, 2301, 'a\nb\u001b[31m');
    t.match(await refused(network, 'c1', publish(2301)), { msg: naming('"a\\nb\\u001b[31m"') }, 'is quoted');
    const id = 'ab'.repeat(32);
    await host.container(id);
    await listen(host, 2302, 'conmon', '-c', id, '-u', id);
    await listen(host, 2303, 'conmon', '-c', 'cd'.repeat(32));
    await listen(host, 2304, 'worker', 'c2');
    await network.add(id, publish(2302));
    t.match(await refused(network, 'c2', publish(2304)), { code: 102 }, 'a word is no id');
    t.match(await refused(network, 'c3', publish(2303)), { code: 102 }, 'the runtime of another container');
    await host.shell('ip link add vx type vxlan id 7 dstport 4789 dev uplink\nip link set vx up');
    const kernels = await refused(network, 'c4', publish(4789, { protocol: 'udp' }));
    t.match(kernels, { code: 102, msg: naming('the kernel itself', '4789/udp') });
    await host.container('c5');
    const unseen = await host.cni(['unshare', '--pid', '--fork', '--mount-proc', BRIDGE_NAT], 'ADD', {
      config: { ...network.config, runtimeConfig: { portMappings: publish(2301).ports } },
      ...{ containerId: 'c5', ifname: 'eth0', netns: '/run/netns/c5' },
    });
    t.match(unseen.json, { code: 102, msg: naming('/proc does not show') }, 'in a PID namespace of its own');
  });
});

t.test('among thousands of sockets', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const many =
      'my @s; for my $p (20001..24000) { push @s, IO::Socket::INET->new(LocalPort=>$p,Listen=>1)||die $!; ' +
      "push @s, IO::Socket::INET->new(LocalPort=>$p,Proto=>'udp')||die $! } syswrite STDOUT,'there'; sleep 1e6";
    const limit = 'ulimit -n 9000\nexec perl -MIO::Socket::INET -e "$1"';
    const server = host.start(['sh', '-c', limit, 'sh', many]);
    await server.until(() => server.output === 'there', 'the server');
    const network = new Network(host, ONLY4);
    await network.container('c1', publish(24_001));
    const range = { ports: [{ hostPort: 19_000, containerPort: 1, range: 5000 }] };
    t.match(await refused(network, 'c2', range), { code: 102, msg: naming('"perl"') });
    const [first] = publish(23_999, { protocol: 'udp' }).ports ?? [];
    t.match(await refused(network, 'c3', { ports: first ? [first] : [] }), { msg: naming('23999/udp') });
  });
});

t.test('subnets of other networks', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const subnets = (...list: string[]): object => ({ ipam: { ranges: list.map((subnet) => [{ subnet }]) } });
    const first = new Network(host, { name: 'first', ...subnets('10.66.0.0/24', 'fd00:66::/64') });
    await first.container('a1');
    const within = new Network(host, { name: 'within', ...subnets('10.66.0.128/25') });
    t.match(await refused(within, 'b1'), {
      code: 108,
      msg: naming('10.66.0.128/25', 'within', 'first', 'nm-first'),
    });
    const around = new Network(host, { name: 'around', ...subnets('10.99.0.0/24', 'fd00:66::/48') });
    t.match(await refused(around, 'b2'), { code: 108, msg: naming('fd00:66::/48', 'fd00:66::/64', 'first') });
    const shared = new Network(host, { name: 'shared', bridge: 'nm-first', ...subnets('10.66.0.0/24') });
    await shared.container('b3');
    const layer2 = new Network(host, { name: 'layer2', isGateway: false, ...subnets('10.66.0.0/24') });
    await layer2.container('b4');
    const after2 = new Network(host, { name: 'after2', ...subnets('10.66.0.0/24') });
    t.match(await refused(after2, 'b5'), { code: 108, msg: naming('first') });
    const reference = new Network(host, {
      ...{
        cniVersion: '1.0.0',
        name: 'theirs',
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.66.0.64/26' }]] },
      },
    });
    t.match(await refused(reference, 'b6'), { code: 108, msg: naming('10.66.0.64/26', 'first') });
    t.equal(
      await host.shell('ls /var/lib/cni/networks/theirs | grep -c "^10" || true'),
      '0\n',
      'is given back',
    );
    await host.removeContainer('a1');
    await host.removeContainer('b3');
    // The kernel takes a namespace's interfaces away in the background.
    await until(
      async () => (await host.ip('link', 'show', 'master', 'nm-first')).length === 0,
      'the end of their interfaces',
    );
    await after2.add('b5');
    t.pass('the dead of a network stand in nobody’s way');
    t.match(
      (await first.run('ADD', 'b1')).json,
      { code: 108, msg: naming('after2') },
      'nor does it come back',
    );
  });
});

t.test('networks the host is on', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const of = (name: string, subnet: string, more: object = {}): Network =>
      new Network(host, { name, ipam: { ranges: [[{ subnet }]] }, ...more });
    for (const [index, [subnet, theirs]] of (
      [
        ['203.0.113.0/24', '203.0.113.2/24'],
        ['203.0.113.64/26', '203.0.113.2/24'],
        ['203.0.0.0/16', '203.0.113.2/24'],
        ['2001:db8::/64', '2001:db8::2/64'],
        ['127.5.0.0/16', '127.0.0.1/8'],
      ] as const
    ).entries()) {
      const answer = await refused(of(`n${index}`, subnet), `c${index}`);
      t.match(answer, { code: 108, msg: naming(subnet, theirs, theirs.startsWith('127') ? 'lo' : 'uplink') });
    }
    await of('far', '203.0.112.0/24').container('far');
    await host.shell(`
      ip link add br0 type bridge
      ip address add 10.5.0.1/24 dev br0
      ip link set br0 up
      ip link add port type veth peer name plug
      ip address add 10.5.0.7/24 dev port noprefixroute
      ip link set port master br0
      ip address add 10.6.0.1/32 dev lo
      ip address add 10.7.0.9/32 dev lo`);
    await of('lan', '10.5.0.0/24', { bridge: 'br0' }).container('lan');
    await of('unnumbered', '10.6.0.0/24').container('unnumbered');
    t.match(await refused(of('single', '10.7.0.0/24'), 'single'), {
      code: 108,
      msg: naming('10.7.0.9/32', 'lo'),
    });
    await host.shell('echo 1 > /proc/sys/net/ipv6/conf/uplink/proxy_ndp');
    await of('proxied', '2001:db8:0:0:7::/80').container('proxied');
    const running = of('running', '10.8.0.0/24');
    await running.container('r1');
    await host.shell('ip link add later type veth peer name later1\nip address add 10.8.0.77/16 dev later');
    await running.container('r2');
    t.pass('a network that runs goes on');
  });
});

t.test('what netmoor picks itself is on no interface, up or down', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const picked = new Network(host, { name: 'picked' });
    const { result } = await picked.container('c1');
    const first = String(result.ips?.[0]?.address).replace(/\.\d+\/24$/, '');
    await picked.del('c1');
    await host.must([`${OWN_PLUGINS}/netmoor`, 'networks', '--forget', 'picked']);
    await host.shell(`ip link add idle0 type veth peer name idle1\nip address add ${first}.200/24 dev idle0`);
    t.notOk((await picked.add('c1')).ips?.[0]?.address.startsWith(`${first}.`), 'another this time');
  });
});

t.test('gateways', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const of = (ipam: object, more: object = {}): Network =>
      new Network(host, { cniVersion: '1.0.0', ipam, ...more });
    const subnet = '10.77.0.0/24';
    const outside = await refused(of({ subnet, gateway: '10.78.0.1' }), 'c1');
    t.match(outside, { code: 7, msg: naming('ipam.gateway', '10.78.0.1', subnet), details: String });
    const status = await of({ subnet, gateway: '10.78.0.1' }, { cniVersion: '1.1.0' }).whole('STATUS');
    t.match(status.json, { code: 7, msg: naming('10.78.0.1') }, 'known before a container is made');
    for (const gateway of ['10.77.0.0', '10.77.0.255'])
      t.match(await refused(of({ subnet, gateway }), gateway), { code: 7, msg: naming(gateway, subnet) });
    const routes = [{ dst: '169.254.1.1/32', scope: 253 }, { dst: '0.0.0.0/0' }];
    const onLink = { subnet, gateway: '169.254.1.1', routes };
    const { place } = await of(onLink, { isGateway: false }).container('c2');
    t.match(
      await place.ip('route', 'show', 'default'),
      [{ gateway: '169.254.1.1' }],
      'by a route on the link',
    );
    await of(onLink, { isGateway: false }).del('c2');
    t.match(
      await refused(of(onLink), 'c3'),
      { code: 7, msg: naming('169.254.1.1', subnet) },
      'not for the bridge',
    );
    const theirs = { type: 'host-local', subnet, gateway: '10.78.0.1', routes: [{ dst: '0.0.0.0/0' }] };
    for (const [name, more] of [
      ['c4', {}],
      ['c5', { isGateway: false }],
    ] as const) {
      const answer = await refused(of(theirs, more), name);
      t.match(answer, { code: 7, msg: /10\.78\.0\.1.*10\.77\.0\./, details: String }, name);
    }
    t.equal(
      await host.shell('ls /var/lib/cni/networks/harbour | grep -c "^10" || true'),
      '0\n',
      'given back',
    );
  });
});

t.test('subnets that no host is in', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const before = await dump(host);
    for (const [index, [subnet, of]] of (
      [
        ['224.0.0.0/24', '224.0.0.0/4'],
        ['0.0.0.0/8', '0.0.0.0/8'],
        ['ff05::/64', 'ff00::/8'],
        ['fe80::/64', 'fe80::/10'],
      ] as const
    ).entries()) {
      const network = new Network(host, { name: `n${index}`, ipam: { subnet } });
      const answer = await refused(network, `c${index}`);
      t.match(answer, { code: 7, msg: naming(subnet, of), details: String }, subnet);
      await host.removeContainer(`c${index}`);
    }
    t.same(await dump(host), before, 'nothing is left');
  });
});

t.test('an MTU that IPv6 does not take', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const small = (more: object): Network => new Network(host, { mtu: 1279, ...more });
    t.match(await refused(small({ name: 'both' }), 'c1'), {
      code: 7,
      msg: naming('mtu 1279', '1280'),
      details: String,
    });
    const only4 = await small({ ...ONLY4, name: 'only4' }).container('c2');
    t.match(await only4.place.ip('link', 'show', 'eth0'), [{ mtu: 1279 }]);
    await new Network(host, { mtu: 1280, name: 'enough' }).container('c3');
  });
});

t.test('ports on addresses that the host has not got', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const told = async (name: string, hostIP: string): Promise<string> => {
      await host.container(name);
      const { code, stderr } = await network.run('ADD', name, publish(8000, { hostIP }));
      t.equal(code, 0, name);
      await network.del(name);
      return stderr;
    };
    for (const [index, address] of ['192.0.2.77', '2001:db8:77::1'].entries())
      t.match(await told(`none${index}`, address), naming('8000', address), address);
    for (const [index, address] of ['', '0.0.0.0', '::', '127.0.0.2', world.host4, world.host6].entries())
      t.equal(await told(`some${index}`, address), '', `"${address}"`);
  });
});
