/** The configuration on stdin: limits, versions, leniency, and what runtimes put into it. */
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import type { Command } from '../../lib/cni/environment.ts';
import { JSON_BYTES } from '../../lib/cni/json.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import { naming } from '../naming.ts';

function read(config: unknown, command: Command = 'ADD'): CniConfig {
  const raw = parseConfig(Buffer.from(typeof config === 'string' ? config : JSON.stringify(config)));
  return readConfig(raw, configVersion(raw), command);
}

function refusal(config: unknown, command: Command = 'ADD'): NetmoorError {
  try {
    read(config, command);
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  throw new Error(`nothing was refused in ${JSON.stringify(config)}`);
}

const BASE = { cniVersion: '1.1.0', name: 'net1', type: 'x' };

t.test('what is no JSON object is refused as bad JSON', async (t) => {
  const bad = [
    '',
    '  \n',
    '{',
    '{"name":"a"',
    '[]',
    '"a"',
    '1',
    'null',
    'true',
    '{"name":"a"} x',
    '{"__proto__":{"name":"a"}}',
    '\ufeff{}',
  ];
  for (const text of bad) t.equal(refusal(text).kind, 'bad-json', text);
  t.equal(
    refusal({ ...BASE, a: JSON.parse('{"b":[{"__proto__":1}]}') as unknown }).kind,
    'bad-json',
    'also deep inside',
  );
});

t.test('bytes that are not UTF-8, and too many of them', async (t) => {
  t.throws(() => parseConfig(Buffer.from([0x7b, 0xff, 0x7d])), {
    kind: 'bad-json',
    message: naming('UTF-8'),
  });
  t.throws(() => parseConfig(Buffer.alloc(JSON_BYTES + 1, 0x20)), {
    kind: 'bad-json',
    message: naming(String(JSON_BYTES)),
  });
  const largest = JSON.stringify({ ...BASE, _: '' });
  const filled = JSON.stringify({ ...BASE, _: 'x'.repeat(JSON_BYTES - largest.length) });
  t.equal(read(filled).name, 'net1', 'the limit itself is allowed');
});

t.test('deep nesting is refused, however deep', async (t) => {
  for (const depth of [70, 500_000])
    t.equal(refusal(`${'['.repeat(depth)}${']'.repeat(depth)}`).kind, 'bad-json', `${depth}`);
  t.equal(refusal(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`).kind, 'bad-json');
});

t.test('null members are absent ones, the last of equal names counts', async (t) => {
  const config = read(
    '{"cniVersion":null,"name":"first","name":"net1","ipam":null,"dns":null,"prevResult":null,"runtimeConfig":null,"args":{"cni":null}}',
  );
  t.match(config, { cniVersion: '0.1.0', name: 'net1', dns: {}, args: {} });
  t.notOk('ipam' in config);
  t.notOk('prevResult' in config);
});

t.test('versions: exactly the supported ones', async (t) => {
  for (const cniVersion of SUPPORTED_VERSIONS) t.equal(read({ ...BASE, cniVersion }).cniVersion, cniVersion);
  t.equal(read({ name: 'a' }).cniVersion, '0.1.0', 'absent');
  t.equal(read({ name: 'a', cniVersion: '' }).cniVersion, '0.1.0', 'empty');
  for (const cniVersion of ['0.5.0', '1.1', '1.1.0 ', '2.0.0', 'v1.0.0', 'x']) {
    const error = refusal({ ...BASE, cniVersion });
    t.equal(error.kind, 'bad-version', cniVersion);
    t.match(error.details, naming('0.1.0', '1.1.0'));
  }
  t.equal(refusal({ ...BASE, cniVersion: 1 }).kind, 'bad-json');
});

t.test('commands that a version does not know', async (t) => {
  const since: [Command, number][] = [
    ['ADD', 0],
    ['DEL', 0],
    ['CHECK', 4],
    ['GC', 6],
    ['STATUS', 6],
  ];
  for (const [command, first] of since) {
    for (const [index, cniVersion] of SUPPORTED_VERSIONS.entries()) {
      const config = { ...BASE, cniVersion };
      if (index >= first) t.equal(read(config, command).cniVersion, cniVersion, `${command} ${cniVersion}`);
      else
        t.match(
          refusal(config, command),
          { kind: 'bad-version', message: naming(command, cniVersion) },
          `${command} ${cniVersion}`,
        );
    }
  }
});

t.test('the name of the network', async (t) => {
  for (const command of ['ADD', 'DEL', 'GC'] as const) {
    for (const name of [undefined, null, '', '..', '../x', 'a b', 'x'.repeat(300), 'a\n', 5, {}]) {
      t.match(
        refusal({ ...BASE, name }, command),
        { kind: 'bad-config', message: naming('name') },
        `${command} ${JSON.stringify(name)}`,
      );
    }
  }
});

t.test('wrong types are named with their place', async (t) => {
  const cases: [object, ...string[]][] = [
    [{ ipam: [] }, 'ipam', '[]'],
    [{ ipam: { type: 5 } }, 'ipam.type', '5'],
    [{ dns: { nameservers: '1.1.1.1' } }, 'dns.nameservers', '"1.1.1.1"'],
    [{ args: 'x' }, 'args', '"x"'],
    [{ args: { cni: { ips: [1] } } }, 'args.cni.ips[0]', '1'],
    [{ runtimeConfig: [] }, 'runtimeConfig', '[]'],
    [
      { runtimeConfig: { portMappings: [{ hostPort: '80' }] } },
      'runtimeConfig.portMappings[0].hostPort',
      '"80"',
    ],
    [{ runtimeConfig: { ips: 'x' } }, 'runtimeConfig.ips', '"x"'],
    [{ prevResult: 'x' }, 'prevResult', '"x"'],
    [{ prevResult: { ips: [{ address: 'x' }] } }, 'prevResult.ips[0].address', '"x"'],
  ];
  for (const [members, ...things] of cases)
    t.match(refusal({ ...BASE, ...members }), { kind: 'bad-config', message: naming(...things) });
  const unknown = refusal({ ...BASE, dns: { nameserver: ['1.1.1.1'] } });
  t.match(unknown, {
    kind: 'unsupported-field',
    message: naming('dns.nameserver', '["1.1.1.1"]'),
    details: naming('"nameservers"'),
  });
});

t.test('DEL goes on without what is of no use', async (t) => {
  const config = read(
    {
      ...BASE,
      ipam: 'x',
      dns: 5,
      args: [],
      prevResult: { ips: [{ address: 'x' }] },
      runtimeConfig: { portMappings: 'x' },
      kept: 1,
    },
    'DEL',
  );
  t.match(config, { name: 'net1', dns: {}, args: {}, raw: { kept: 1 } });
  for (const key of ['ipam', 'prevResult']) t.notOk(key in config, key);
  t.strictSame(config.runtimeConfig.portMappings, []);
  const whole = read(
    { ...BASE, ipam: { type: 'a' }, prevResult: { ips: [{ address: '10.0.0.1/8' }] } },
    'DEL',
  );
  t.match(
    whole,
    { ipam: { type: 'a' }, prevResult: { ips: [{ address: '10.0.0.1/8' }] } },
    'and uses what it can',
  );
});

t.test('valid attachments: both spellings, absent means none', async (t) => {
  const one = { containerID: 'c1', ifname: 'eth0' };
  const two = { containerID: 'c2', ifname: 'eth1', extra: true };
  const expected = [
    { containerId: 'c1', ifname: 'eth0' },
    { containerId: 'c2', ifname: 'eth1' },
  ];
  t.strictSame(read({ ...BASE, 'cni.dev/valid-attachments': [one, two] }, 'GC').validAttachments, expected);
  t.strictSame(read({ ...BASE, 'cni.dev/attachments': [one, two] }, 'GC').validAttachments, expected);
  t.strictSame(
    read({ ...BASE, 'cni.dev/valid-attachments': [one], 'cni.dev/attachments': [two] }, 'GC')
      .validAttachments,
    expected,
  );
  t.strictSame(read({ ...BASE, 'cni.dev/valid-attachments': null }, 'GC').validAttachments, []);
  t.strictSame(read(BASE, 'GC').validAttachments, []);
  for (const bad of ['x', [1], [{ containerID: 'c1' }], [{ containerid: 'c1', ifname: 'eth0' }]]) {
    t.equal(
      refusal({ ...BASE, 'cni.dev/valid-attachments': bad }, 'GC').kind,
      'bad-config',
      'never read as "all stale"',
    );
  }
});

t.test('capabilities as go-cni writes them', async (t) => {
  const { runtimeConfig } = read({
    ...BASE,
    runtimeConfig: {
      portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }],
      bandwidth: { IngressRate: 1000, IngressBurst: 4294967295, EgressRate: 0, EgressBurst: 0 },
      dns: { Servers: ['10.0.0.10'], Searches: null, Options: ['ndots:5'] },
      ipRanges: [[{ Subnet: '10.1.0.0/24', RangeStart: '10.1.0.5' }]],
      IPS: ['10.1.0.7/24'],
      'io.kubernetes.cri.pod-annotations': { HostPort: 'kept', constructor: 'x' },
      other: { HostPort: 1 },
    },
  });
  t.strictSame(runtimeConfig, {
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' }],
    bandwidth: { ingressRate: 1000, ingressBurst: 4294967295, egressRate: 0, egressBurst: 0 },
    dns: { nameservers: ['10.0.0.10'], options: ['ndots:5'] },
    ipRanges: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.5' }]],
    ips: ['10.1.0.7/24'],
    aliases: [],
    podAnnotations: { HostPort: 'kept', constructor: 'x' },
  });
});

t.test('the exact spelling wins, aliases are a list or a map by network', async (t) => {
  const runtimeConfig = (value: object) => read({ ...BASE, runtimeConfig: value }).runtimeConfig;
  t.match(runtimeConfig({ portMappings: [{ hostPort: 1, HostPort: 2, HOSTPORT: 3 }] }).portMappings, [
    { hostPort: 1 },
  ]);
  t.strictSame(runtimeConfig({ aliases: ['a', 'b'] }).aliases, ['a', 'b']);
  t.strictSame(runtimeConfig({ aliases: { net1: ['a'], net2: ['b'] } }).aliases, ['a']);
  t.strictSame(runtimeConfig({ aliases: { net2: ['b'] } }).aliases, []);
  t.match(runtimeConfig({ mac: '02:00:00:00:00:01', cgroupPath: '/a', deviceID: '', infinibandGUID: 'g' }), {
    mac: '02:00:00:00:00:01',
    cgroupPath: '/a',
    infinibandGUID: 'g',
    deviceID: undefined,
  });
});
