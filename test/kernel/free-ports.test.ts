/**
 * Ports of the host that netmoor chooses, and ports that nobody publishes: `netmoor attach --port 80`, the hook's
 * annotation, and runtimes whose network does not take the capability.
 */
import t from 'tap';
import { attach, back, define, must, netmoor, reference } from './attach-bed.ts';
import type { Attached } from './attach-bed.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

interface Published {
  readonly protocol: string;
  readonly hostIp?: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

function portsOf(attached: Attached | undefined): readonly Published[] {
  return (attached as { readonly ports?: readonly Published[] } | undefined)?.ports ?? [];
}

async function narrow(host: Host, first: number, last: number, reserved = ''): Promise<void> {
  await host.shell(`
    echo ${first} ${last} > /proc/sys/net/ipv4/ip_local_port_range
    echo ${reserved} > /proc/sys/net/ipv4/ip_local_reserved_ports`);
}

t.test('a free port of the host', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await narrow(host, 40_000, 40_009, '40001-40003,40005');
    await serve(host, 'tcp', 40_006);
    await new Network(host, DUAL_STACK).container('c0', { ports: [{ hostPort: 40_007, containerPort: 80 }] });
    const [web] = await attach(
      host,
      '--create',
      'web',
      '--port',
      '80',
      '--port',
      '8080:81',
      '--port',
      '53/udp',
    );
    const [http, fixed, dns] = portsOf(web);
    t.match(
      [http, fixed, dns],
      [{ containerPort: 80 }, { hostPort: 8080 }, { containerPort: 53, protocol: 'udp' }],
    );
    const free = [40_000, 40_004, 40_008, 40_009];
    t.ok(free.includes(http?.hostPort ?? 0), `${http?.hostPort} is of the range, not reserved, and nobody’s`);
    const place = host.at('/run/netns/web', 'web');
    await serve(place, 'tcp', 80);
    t.match(await ask(host.outside, 'tcp', world.host4, http?.hostPort ?? 0), { from: 'web' });
    t.match(await must(host, 'ls'), naming(`*:${http?.hostPort} -> 80/tcp`), 'ls tells it');
    t.match(JSON.parse(await must(host, 'ls', '--json', 'web')), [{ ports: [http, fixed, dns] }]);
    const told = await must(host, 'attach', '--create', 'told', '--port', `${world.host4}::80`, 'netmoor');
    t.match(told, /PORTS\n.*tcp 203\.0\.113\.2:4000\d -> 80\n/, 'so does the command itself');
    for (const name of ['one', 'two']) await attach(host, '--create', name, '--port', '80');
    const full = await netmoor(host, 'attach', '--json', '--create', 'more', '--port', '80');
    t.match(
      [full.code, JSON.parse(full.stdout || full.stderr)],
      [1, { code: 11, msg: naming('40000', '40009') }],
    );
    await attach(host, '--create', 'udp', '--port', '80/udp');
  });
});

t.test('many at once get different ones', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await narrow(host, 41_000, 41_007);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const attached = await Promise.all(names.map((name) => attach(host, '--create', name, '--port', '80')));
    const ports = attached.flat().flatMap(portsOf);
    t.equal(new Set(ports.map(({ hostPort }) => hostPort)).size, names.length);
  });
});

t.test('portmap of the reference is given a free port, too', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host, { reference });
    await narrow(host, 42_000, 42_001);
    const paths = ['--cni-path', '/usr/lib/cni'];
    const [one] = await attach(host, '--create', 'one', '--port', '80', ...paths, 'reference');
    const [two] = await attach(host, '--create', 'two', '--port', '80', 'netmoor');
    const both = [...portsOf(one), ...portsOf(two)].map(({ hostPort }) => hostPort);
    t.same(both.sort(), [42_000, 42_001]);
  });
});

/** What libcni writes when a runtime hands ports to a network, whoever takes them. */
function cached(host: Host, network: string, container: string, plugins: readonly object[]): void {
  const file = `/var/lib/cni/results/${network}-${container}-eth0`;
  const document = {
    ...{ kind: 'cniCacheV1', containerId: container, ifName: 'eth0', networkName: network },
    config: Buffer.from(JSON.stringify({ cniVersion: '1.0.0', name: network, plugins })).toString('base64'),
    netns: `/run/netns/${container}`,
    capabilityArgs: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' }] },
  };
  host.write(file, JSON.stringify(document));
}

t.test('ports that nobody publishes', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host, { back });
    const refused = await netmoor(host, 'attach', '--json', '--create', 'c0', '--port', '80', 'back');
    t.match([refused.code, refused.stderr + refused.stdout], [1, naming('back', 'portMappings')]);
    const bridgeNat = { type: 'bridge-nat', ipam: { subnet: '10.83.0.0/24' } };
    const network = new Network(host, { ...bridgeNat, cniVersion: '1.0.0', name: 'back' });
    await network.container('c1');
    cached(host, 'back', 'c1', [bridgeNat]);
    const check = await netmoor(host, 'check', '--json');
    t.equal(check.code, 1);
    t.match(JSON.parse(check.stdout).attachments, [
      { differences: [naming('tcp 8080', 'back', 'portMappings')] },
    ]);
    t.match(await must(host, 'networks'), naming('back publishes no ports', '/etc/cni/net.d/back.conflist'));
    t.match(JSON.parse(await must(host, 'networks', '--json')), [{ name: 'back', unpublished: 1 }, {}]);
    cached(host, 'back', 'c1', [bridgeNat, { type: 'portmap', capabilities: { portMappings: true } }]);
    t.equal((await netmoor(host, 'check')).code, 0, 'portmap behind it does');
    cached(host, 'back', 'c1', [bridgeNat]);
    const other = new Network(host, { ...DUAL_STACK, name: 'front' });
    const ports = [{ hostPort: 8080, containerPort: 80 }];
    await other.add('c1', { ifname: 'eth1', ports });
    t.equal((await netmoor(host, 'check')).code, 0, 'another network of the container does');
    await host.container('c2');
    const loud = await network.run('ADD', 'c2', {}, { args: { cni: { portMappings: ports } } });
    t.match([loud.code, loud.stderr], [0, naming('args.cni.portMappings', 'back', 'capabilities')]);
  });
});

t.test('all high ports of an address by one option', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const [web] = await attach(host, '--create', 'web', '--port', `${world.host4}:1024-65535:1024-65535/udp`);
    t.match(portsOf(web), [{ protocol: 'udp', hostPort: 1024, containerPort: 1024, count: 64_512 }]);
    await serve(host.at('/run/netns/web', 'web'), 'udp', 60_000);
    t.match(await ask(host.outside, 'udp', world.host4, 60_000), { from: 'web' });
    const [few] = await attach(host, '--create', 'few', '--port', '8080-8081:80-81');
    t.match(portsOf(few), [{ hostPort: 8080, containerPort: 80, count: 2 }]);
    for (const name of ['web', 'few']) await must(host, 'detach', '--id', name);
  });
});
