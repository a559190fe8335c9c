/**
 * What can be wrong with a request or a host: the right code, the thing that is wrong named, and nothing left behind.
 */
import t from 'tap';
import { lacking, without, withHost } from './harness.ts';
import type { Host, Snapshot } from './harness.ts';
import { BRIDGE_NAT, DUAL_STACK, Network } from './moorings.ts';
import type { Wish } from './moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

interface Trouble {
  readonly what: string;
  readonly config?: object;
  readonly wish?: Wish;
  readonly prepare?: (host: Host, network: Network) => Promise<unknown>;
  readonly code: number;
  /** What the message names. */
  readonly msg: readonly string[];
  /** What the advice names. */
  readonly details?: readonly string[];
  /** DEL cannot succeed either: it does not even know what it would be about. */
  readonly delFails?: boolean;
}

const TROUBLES: readonly Trouble[] = [
  {
    what: 'an unknown key',
    config: { hairpinMod: true },
    code: 2,
    msg: ['hairpinMod'],
    details: ['"hairpinMode"'],
  },
  {
    what: 'an unknown ipam key',
    config: { ipam: { subnet: '10.77.0.0/24', rangestart: '10.77.0.9' } },
    code: 2,
    msg: ['ipam.rangestart'],
    details: ['"rangeStart"'],
  },
  { what: 'a key of the wrong type', config: { mtu: 'big' }, code: 7, msg: ['mtu', '"big"'] },
  { what: 'a bridge name that is a path', config: { bridge: '../x' }, code: 7, msg: ['bridge', '"../x"'] },
  {
    what: 'a network name with a newline',
    config: { name: 'a\nb' },
    delFails: true,
    code: 7,
    msg: ['name'],
  },
  {
    what: 'a network name of 300 characters',
    config: { name: 'n'.repeat(300) },
    delFails: true,
    code: 7,
    msg: ['name'],
  },
  {
    what: 'a subnet with host bits',
    config: { ipam: { subnet: '10.77.0.1/24' } },
    code: 7,
    msg: ['10.77.0.1/24'],
    details: ['10.77.0.0/24'],
  },
  {
    what: 'a NUL byte in dataDir',
    config: { ipam: { subnet: '10.77.0.0/24', dataDir: '/var/lib/a\0b' } },
    code: 7,
    msg: ['ipam.dataDir'],
    details: ['NUL'],
  },
  {
    what: 'a NUL byte in resolvConf',
    config: { ipam: { subnet: '10.77.0.0/24', resolvConf: '/etc/resolv\0.conf' } },
    code: 7,
    msg: ['ipam.resolvConf'],
    details: ['NUL'],
  },
  {
    what: 'a route with an mtu that does not fit',
    config: { ipam: { subnet: '10.77.0.0/24', routes: [{ dst: '0.0.0.0/0', mtu: 2 ** 32 }] } },
    code: 7,
    msg: ['ipam.routes[0].mtu', '4294967295'],
  },
  {
    what: 'a route with an advmss that does not fit',
    config: { ipam: { subnet: '10.77.0.0/24', routes: [{ dst: '0.0.0.0/0', advmss: 2 ** 40 }] } },
    code: 7,
    msg: ['ipam.routes[0].advmss', '4294967295'],
  },
  {
    what: 'a rate that does not fit',
    config: { ingressRate: 1e30, ingressBurst: 80_000 },
    code: 7,
    msg: ['ingressRate'],
  },
  {
    what: 'a requested address outside the pool',
    wish: { ips: ['192.0.2.9'] },
    code: 7,
    msg: ['192.0.2.9'],
  },
  {
    what: 'a requested address that is the gateway',
    wish: { ips: ['10.77.0.1'] },
    code: 7,
    msg: ['10.77.0.1'],
  },
  {
    what: 'a multicast MAC address',
    wish: { mac: '01:00:5e:00:00:01' },
    code: 7,
    msg: ['01:00:5e:00:00:01'],
  },
  {
    what: 'a port over 65535',
    wish: { ports: [{ hostPort: 70000, containerPort: 80 }] },
    code: 7,
    msg: ['hostPort', '70000'],
    details: ['65535'],
  },
  {
    what: 'a port on ::1',
    wish: { ports: [{ hostPort: 80, containerPort: 80, hostIP: '::1' }] },
    code: 7,
    msg: ['::1'],
    details: ['127.0.0.1'],
  },
  {
    what: 'a bridge name taken by another kind of link',
    config: { bridge: 'dock' },
    prepare: (host) => host.must(['ip', 'link', 'add', 'dock', 'type', 'veth', 'peer', 'name', 'dock1']),
    code: 103,
    msg: ['dock', 'veth'],
    details: ['"bridge"'],
  },
  {
    what: 'an interface that the container has already',
    prepare: async (host) => host.at('/run/netns/c1').must(['ip', 'link', 'add', 'eth0', 'type', 'bridge']),
    code: 100,
    msg: ['eth0'],
  },
  {
    what: 'a bridge with another address',
    config: { bridge: 'dock', isGateway: true },
    prepare: (host) =>
      host.shell('ip link add dock type bridge\nip address add 192.168.7.1/24 dev dock\nip link set dock up'),
    code: 7,
    msg: ['dock', '192.168.7.1/24'],
    details: ['"forceAddress"'],
  },
  {
    what: 'a pool with no free address',
    config: { ipam: { subnet: '10.77.0.0/30' } },
    prepare: (_, network) => network.container('c0'),
    code: 11,
    msg: ['10.77.0.2'],
    details: ['netmoor gc'],
  },
  {
    what: 'a published port that another container has',
    wish: { ports: [{ hostPort: 8080, containerPort: 80 }] },
    prepare: (_, network) =>
      network.container('c0', { ports: [{ hostPort: 8000, range: 100, containerPort: 8000 }] }),
    code: 102,
    msg: ['8080', 'harbour/c0/eth0'],
  },
  {
    what: 'an IPAM plugin that is not there',
    config: { ipam: { type: 'host-locale' } },
    code: 107,
    msg: ['"host-locale"'],
    details: ['CNI_PATH'],
  },
  {
    what: 'a corrupt store',
    prepare: (host) =>
      host.shell(
        'mkdir -p /var/lib/cni/netmoor; head -c 8192 /dev/zero | tr "\\0" x > /var/lib/cni/netmoor/leases.db',
      ),
    delFails: true,
    code: 5,
    msg: ['leases.db'],
  },
];

async function dump(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /\/netmoor/ }), 'processes');
}

for (const { what, config = {}, wish = {}, prepare, code, msg, details = [], delFails = false } of TROUBLES) {
  t.test(what, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, { ...DUAL_STACK, ...config });
      await host.container('c1');
      await prepare?.(host, network);
      const before = await dump(host);
      const answer = await network.run('ADD', 'c1', wish);
      t.equal(answer.code, 1);
      t.match(answer.json, { cniVersion: '1.1.0', code, msg: naming(...msg), details: naming(...details) });
      t.ok(answer.json?.details, 'there is advice');
      t.same(await dump(host), before, 'nothing is left');
      t.equal(
        (await network.run('DEL', 'c1', wish)).code,
        delFails ? 1 : 0,
        'DEL has nothing to complain of',
      );
    });
  });
}

t.test('input that is no config', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const call = { containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1' };
    const whole = JSON.stringify({ cniVersion: '1.0.0', name: 'harbour', type: 'bridge-nat' });
    const before = await dump(host);
    for (const [config, what] of [
      ['', 'nothing'],
      [whole.slice(0, -5), 'truncated'],
      ['[]', 'a list'],
      ['null', 'null'],
      [`{"cniVersion":"1.0.0","name":"harbour","x":"${'x'.repeat(10 << 20)}"}`, 'ten megabytes'],
      [`${'['.repeat(100_000)}`, 'a hundred thousand brackets'],
    ] as const) {
      const answer = await host.cni(BRIDGE_NAT, 'ADD', { ...call, config });
      t.match(answer, { code: 1, json: { code: 6, msg: String, details: String } }, what);
    }
    for (const [change, code] of [
      [{ containerId: '../x' }, 4],
      [{ containerId: 'a\nb' }, 4],
      [{ containerId: 'c'.repeat(300) }, 4],
      [{ ifname: 'a/b' }, 4],
      [{ ifname: 'sixteen-letters-' }, 4],
      [{ netns: '/run/netns/none' }, 4],
      [{ netns: '/etc/passwd' }, 4],
      [{ netns: '/proc/1/ns/mnt' }, 4],
      [{ netns: '/proc/1/ns/net' }, 4],
    ] as const) {
      const answer = await host.cni(BRIDGE_NAT, 'ADD', { ...call, config: whole, ...change });
      t.match(answer, { code: 1, json: { code, msg: String } }, JSON.stringify(change));
    }
    t.same(await dump(host), before, 'nothing is left');
  });
});

t.test('without privileges', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const before = await dump(host);
    const config = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };
    const call = { containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1', config };
    const answer = await host.cni(
      ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', BRIDGE_NAT],
      'ADD',
      call,
    );
    t.match(answer, { code: 1, json: { code: 106, msg: String, details: naming('root') } });
    t.same(await dump(host), before);
  });
});
