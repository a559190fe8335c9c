/** What is asked for one attachment: addresses, MAC, name, published ports, DNS; and whose word counts. */
import t from 'tap';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { readConfig } from '../../lib/cni/config.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import { chooseDns, parseResolvConf } from '../../lib/cni/dns.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import type { CniRequest } from '../../lib/cni/environment.ts';
import { describeMapping, mappingsConflict, readPortMappings } from '../../lib/cni/port-mappings.ts';
import type { PortMappingInput } from '../../lib/cni/runtime-config.ts';
import {
  containerName,
  requestedAddresses,
  requestedMac,
  withoutAddresses,
} from '../../lib/cni/requested.ts';
import { CONFIG, environmentOf } from './cni-fakes.ts';
import { naming } from '../naming.ts';

function asked(args: string, members: object = {}): [CniConfig, CniRequest] {
  const request = { ...readParameters(environmentOf('ADD', { CNI_ARGS: args })), stdin: Buffer.alloc(0) };
  return [readConfig({ ...CONFIG, ...members }, '1.1.0', 'ADD'), request];
}

const addresses = (args: string, members?: object): string[] =>
  requestedAddresses(...asked(args, members)).map(formatAddress);

t.test('a request without addresses that somebody else is to give', async (t) => {
  const config = {
    ...CONFIG,
    runtimeConfig: { IPs: ['10.0.0.1', '2001:DB8::1', '2001:db8::2/64'], mac: '02:00:00:00:00:01' },
    args: { cni: { ips: ['2001:db8:0::1/64'], name: 'web' } },
  };
  const args = 'IgnoreUnknown=1;IP=10.0.0.1, 2001:db8::2,,;K8S_POD_NAME=web';
  const environment = environmentOf('ADD', { CNI_ARGS: args });
  const request = { ...readParameters(environment), stdin: Buffer.from(JSON.stringify(config)) };
  t.equal(withoutAddresses(request, []), request);
  const left = withoutAddresses(request, [parseAddress('2001:db8::1'), parseAddress('2001:db8::2')]);
  t.strictSame(JSON.parse(left.stdin.toString()), {
    ...config,
    runtimeConfig: { ...config.runtimeConfig, IPs: ['10.0.0.1'] },
    args: { cni: { ...config.args.cni, ips: [] } },
  });
  t.strictSame(left.environment, {
    ...environment,
    CNI_ARGS: 'IgnoreUnknown=1;IP=10.0.0.1;K8S_POD_NAME=web',
  });
});

t.test('addresses: the capability, then args, then CNI_ARGS', async (t) => {
  t.strictSame(addresses(''), []);
  t.strictSame(addresses('IP=10.0.0.1'), ['10.0.0.1']);
  t.strictSame(addresses('IP=10.0.0.1/24, fd00::1,,'), ['10.0.0.1', 'fd00::1']);
  t.strictSame(addresses('IP=10.0.0.1', { args: { cni: { ips: ['10.0.0.2/24'] } } }), ['10.0.0.2']);
  t.strictSame(
    addresses('IP=10.0.0.1', { args: { cni: { ips: [] } } }),
    [],
    'args gave it: CNI_ARGS does not count',
  );
  t.strictSame(
    addresses('IP=10.0.0.1', { runtimeConfig: { ips: ['fd00::1/64'] } }),
    ['fd00::1', '10.0.0.1'],
    'as nerdctl does it',
  );
  t.strictSame(addresses('IP=10.0.0.1', { runtimeConfig: { ips: ['10.0.0.3', '10.0.0.3/8'] } }), [
    '10.0.0.3',
  ]);
});

t.test('addresses that are none are refused where they stand', async (t) => {
  t.throws(() => addresses('IP=10.0.0.300'), {
    kind: 'bad-environment',
    message: naming('CNI_ARGS IP', '"10.0.0.300"'),
  });
  t.throws(() => addresses('', { args: { cni: { ips: ['x'] } } }), {
    kind: 'bad-config',
    message: naming('args.cni.ips[0]', '"x"'),
  });
  t.throws(() => addresses('', { runtimeConfig: { ips: ['10.0.0.1', '10.0.0.1/33'] } }), {
    kind: 'bad-config',
    message: naming('runtimeConfig.ips[1]', '"10.0.0.1/33"'),
  });
});

t.test('MAC address', async (t) => {
  const mac = (args: string, members?: object) => requestedMac(...asked(args, members));
  const args = { cni: { mac: '02:00:00:00:00:AA' } };
  t.equal(mac(''), undefined);
  t.equal(mac('MAC='), undefined);
  t.equal(mac('MAC=02:00:00:00:00:01'), '02:00:00:00:00:01');
  t.equal(mac('MAC=02:00:00:00:00:01', { args }), '02:00:00:00:00:aa');
  t.equal(
    mac('MAC=02:00:00:00:00:01', { args, runtimeConfig: { mac: '02:00:00:00:00:03' } }),
    '02:00:00:00:00:03',
  );
  t.throws(() => mac('MAC=01:00:5e:00:00:01'), { kind: 'bad-environment', message: naming('CNI_ARGS MAC') });
  t.throws(() => mac('', { runtimeConfig: { mac: 'x' } }), {
    kind: 'bad-config',
    message: naming('runtimeConfig.mac'),
  });
});

t.test('the name of the container', async (t) => {
  const name = (args: string, members?: object) => containerName(...asked(args, members));
  t.equal(name(''), undefined);
  t.equal(name('K8S_POD_NAME=web-1'), 'web-1');
  t.equal(name('K8S_POD_NAME=web-1', { args: { cni: { name: 'mail' } } }), 'mail');
  for (const bad of ['a b', 'a\nb', '\u001b[31m', 'x'.repeat(300)])
    t.equal(name(`K8S_POD_NAME=${bad}`), undefined, JSON.stringify(bad.slice(0, 9)));
});

t.test('port mappings', async (t) => {
  const mappings = readPortMappings([
    { hostPort: 8080, containerPort: 80 },
    { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: '' },
    { hostPort: 443, containerPort: 443, protocol: 'tcp', hostIP: '127.0.0.1' },
    { hostPort: 443, containerPort: 444, protocol: 'tcp', hostIP: '::1' },
    { hostPort: 5000, containerPort: 6000, protocol: 'sctp', range: 10 },
    { hostPort: 7000, containerPort: 7000, count: 2 },
    { hostPort: 0, containerPort: 9000 },
    { containerPort: 9001, protocol: 'icmp' },
  ]);
  t.strictSame(mappings.map(describeMapping), [
    'tcp 8080',
    'udp 53',
    'tcp 127.0.0.1:443',
    'tcp [::1]:443',
    'sctp 5000-5009',
    'tcp 7000-7001',
  ]);
  t.match(mappings[0], { protocol: 'tcp', hostPort: 8080, containerPort: 80, count: 1 });
  t.match(mappings[4], { hostPort: 5000, containerPort: 6000, count: 10 });
});

t.test('port mappings that cannot be', async (t) => {
  const cases: [PortMappingInput, ...string[]][] = [
    [{ hostPort: 65536, containerPort: 80 }, '[0].hostPort', '65536'],
    [{ hostPort: -1, containerPort: 80 }, '[0].hostPort', '-1'],
    [{ hostPort: 80, containerPort: 0 }, '[0].containerPort', '0'],
    [{ hostPort: 80 }, '[0].containerPort', '0'],
    ...['224.0.0.1', '255.255.255.255', 'ff02::1', '::ffff:192.0.2.2'].map(
      (hostIP): [PortMappingInput, ...string[]] => [
        { hostPort: 80, containerPort: 80, hostIP },
        '[0].hostIP',
        hostIP,
      ],
    ),
    [{ hostPort: 80, containerPort: 70000 }, '[0].containerPort', '70000'],
    [{ hostPort: 65535, containerPort: 1, range: 2 }, '[0].hostPort', '65535', '65536'],
    [{ hostPort: 1, containerPort: 65535, range: 2 }, '[0].containerPort', '65535', '65536'],
    [{ hostPort: 1, containerPort: 1, range: 0 }, '[0].range', '0'],
    [{ hostPort: 1, containerPort: 1, range: -5 }, '[0].range', '-5'],
    [{ hostPort: 80, containerPort: 80, protocol: 'icmp' }, '[0].protocol', '"icmp"'],
    [{ hostPort: 80, containerPort: 80, hostIP: 'localhost' }, '[0].hostIP', '"localhost"'],
  ];
  for (const [mapping, ...things] of cases) {
    const wanted = { kind: 'bad-config', message: naming(...things) };
    t.throws(() => readPortMappings([mapping]), wanted, JSON.stringify(mapping));
  }
});

t.test('the same port of the host twice', async (t) => {
  const one = { containerPort: 80, hostPort: 80 };
  const cases: [PortMappingInput, PortMappingInput, boolean][] = [
    [one, one, true],
    [one, { ...one, containerPort: 81 }, true],
    [one, { ...one, protocol: 'udp' }, false],
    [one, { ...one, hostIP: '10.0.0.1' }, true],
    [one, { ...one, hostIP: '::1' }, true],
    [{ ...one, hostIP: '0.0.0.0' }, { ...one, hostIP: '10.0.0.1' }, true],
    [{ ...one, hostIP: '0.0.0.0' }, { ...one, hostIP: '::' }, false],
    [{ ...one, hostIP: '::' }, { ...one, hostIP: 'fd00::1' }, true],
    [{ ...one, hostIP: '10.0.0.2' }, { ...one, hostIP: '10.0.0.1' }, false],
    [{ ...one, range: 100 }, { hostPort: 179, containerPort: 1 }, true],
    [{ ...one, range: 100 }, { hostPort: 180, containerPort: 1 }, false],
  ];
  for (const [a, b, conflict] of cases) {
    for (const pair of [[a, b] as const, [b, a] as const]) {
      const text = JSON.stringify(pair);
      if (conflict)
        t.throws(() => readPortMappings(pair), { kind: 'bad-config', message: naming('tcp') }, text);
      else t.equal(readPortMappings(pair).length, 2, text);
    }
  }
  const far = [
    { hostPort: 1, containerPort: 1, range: 1000 },
    { hostPort: 2000, containerPort: 1 },
    { hostPort: 900, containerPort: 1 },
  ];
  t.throws(
    () => readPortMappings(far),
    { kind: 'bad-config', message: naming('tcp 1-1000', 'tcp 900') },
    'a range reaches past its neighbour',
  );
  const many = Array.from({ length: 20_000 }, (_, index) => ({
    hostPort: index + 1,
    containerPort: index + 1,
  }));
  t.equal(readPortMappings(many).length, many.length);
});

t.test('conflicts are the same both ways', async (t) => {
  const [a, b] = [
    { protocol: 'tcp', hostPort: 10, containerPort: 1, count: 5 },
    { protocol: 'tcp', hostPort: 14, containerPort: 1, count: 1 },
  ] as const;
  t.ok(mappingsConflict(a, b));
  t.ok(mappingsConflict(b, a));
  t.notOk(mappingsConflict(a, { ...b, hostPort: 15 }));
});

t.test('resolv.conf', async (t) => {
  const text =
    '# a\n; b\nnameserver 10.0.0.1\n nameserver\tfd00::1 \nnameserver fe80::1%eth0\nnameserver\ndomain old\ndomain a.example\nsearch a b\nsearch c\noptions ndots:5 rotate\nsortlist x\r\n';
  t.strictSame(parseResolvConf(text), {
    nameservers: ['10.0.0.1', 'fd00::1'],
    domain: 'a.example',
    search: ['a', 'b', 'c'],
    options: ['ndots:5', 'rotate'],
  });
  t.strictSame(parseResolvConf(''), {});
});

t.test('whose DNS counts', async (t) => {
  const [runtime, config, ipam] = [{ nameservers: ['1.1.1.1'] }, { domain: 'a' }, { search: ['b'] }];
  t.strictSame(chooseDns({ runtime, config, ipam }), runtime);
  t.strictSame(chooseDns({ runtime: {}, config, ipam }), config);
  t.strictSame(chooseDns({ runtime: {}, config: { nameservers: [], domain: '' }, ipam }), ipam);
  t.strictSame(chooseDns({ runtime: {}, config: {}, ipam: {} }), {});
});
