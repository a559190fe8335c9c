/** Results: the exact JSON of every version, every shape read back, chains merged. */
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { decodeResult } from '../../lib/cni/decode-result.ts';
import { encodeResult, refuseInexpressible } from '../../lib/cni/encode-result.ts';
import { EMPTY_RESULT, mergeResults } from '../../lib/cni/result.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import type { CniVersion } from '../../lib/cni/versions.ts';
import { naming } from '../naming.ts';

const FULL: CniResult = {
  interfaces: [
    { name: 'br0', mac: '02:00:00:00:00:01', mtu: 1500 },
    {
      name: 'eth0',
      mac: '02:00:00:00:00:02',
      mtu: 1450,
      sandbox: '/run/netns/c',
      socketPath: '/run/s',
      pciID: '0000:00:1f.6',
    },
  ],
  ips: [
    { address: '10.1.0.2/16', gateway: '10.1.0.1', interface: 1 },
    { address: '10.2.0.2/16', interface: 0 },
    { address: 'fd00::2/64', gateway: 'fd00::1', interface: 1 },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 10, table: 0, scope: 0 },
    { dst: '192.0.2.0/24' },
    { dst: '::/0', gw: 'fd00::1', table: 100, scope: 253 },
  ],
  dns: { nameservers: ['10.1.0.1'], domain: 'a.example', search: ['b.example'], options: ['ndots:2'] },
};

/** What 0.1.0 and 0.2.0 can say: one address of each family. */
const ONE_EACH: CniResult = { ...FULL, ips: FULL.ips.filter(({ interface: index }) => index === 1) };

function sayable(cniVersion: CniVersion): CniResult {
  return cniVersion < '0.3.0' ? ONE_EACH : FULL;
}

const DNS = { nameservers: ['10.1.0.1'], domain: 'a.example', search: ['b.example'], options: ['ndots:2'] };

const OLD = {
  ip4: {
    ip: '10.1.0.2/16',
    gateway: '10.1.0.1',
    routes: FULL.routes.slice(0, 2),
  },
  ip6: { ip: 'fd00::2/64', gateway: 'fd00::1', routes: FULL.routes.slice(2) },
  dns: DNS,
};

const MIDDLE = {
  interfaces: [
    { name: 'br0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/c' },
  ],
  ips: [
    { version: '4', interface: 1, address: '10.1.0.2/16', gateway: '10.1.0.1' },
    { version: '4', interface: 0, address: '10.2.0.2/16' },
    { version: '6', interface: 1, address: 'fd00::2/64', gateway: 'fd00::1' },
  ],
  routes: FULL.routes,
  dns: DNS,
};

const EXPECTED: Readonly<Record<CniVersion, object>> = {
  '0.1.0': OLD,
  '0.2.0': OLD,
  '0.3.0': MIDDLE,
  '0.3.1': MIDDLE,
  '0.4.0': MIDDLE,
  '1.0.0': { ...MIDDLE, ips: MIDDLE.ips.map(({ version: _, ...ip }) => ip) },
  '1.1.0': { ...FULL },
};

t.test('a full result in the shape of each version', async (t) => {
  for (const cniVersion of SUPPORTED_VERSIONS) {
    const json = JSON.parse(JSON.stringify(encodeResult(sayable(cniVersion), cniVersion))) as unknown;
    t.strictSame(json, { cniVersion, ...EXPECTED[cniVersion] }, cniVersion);
  }
});

t.test('name servers are written without a zone', async (t) => {
  const dns = { nameservers: ['fe80::1%eth0', 'fd00::1'], search: ['lan'] };
  t.match(encodeResult({ ...EMPTY_RESULT, dns }, '1.0.0'), {
    dns: { nameservers: ['fe80::1', 'fd00::1'], search: ['lan'] },
  });
});

t.test('an empty result: dns is always there before 1.0.0, empty lists never', async (t) => {
  for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0'] as const)
    t.strictSame(encodeResult(EMPTY_RESULT, cniVersion), { cniVersion, dns: {} });
  for (const cniVersion of ['1.0.0', '1.1.0'] as const)
    t.strictSame(encodeResult(EMPTY_RESULT, cniVersion), { cniVersion });
});

t.test('0.1.0 and 0.2.0 cannot express a result without addresses', async (t) => {
  for (const cniVersion of ['0.1.0', '0.2.0'] as const) {
    t.throws(() => encodeResult(EMPTY_RESULT, cniVersion), {
      kind: 'bad-config',
      message: naming(cniVersion),
    });
    const ip = { address: '10.0.0.2/8' };
    t.strictSame(encodeResult({ ...EMPTY_RESULT, ips: [ip] }, cniVersion), {
      cniVersion,
      ip4: { ip: ip.address },
      dns: {},
    });
  }
});

t.test('0.1.0 and 0.2.0 cannot express two addresses of one family', async (t) => {
  for (const cniVersion of ['0.1.0', '0.2.0'] as const) {
    t.throws(() => encodeResult(FULL, cniVersion), {
      kind: 'bad-config',
      message: naming(cniVersion, 'IPv4'),
    });
    const two = [{ address: 'fd00::2/64' }, { address: 'fd01::2/64' }];
    t.throws(() => refuseInexpressible(two, cniVersion), {
      kind: 'bad-config',
      message: naming(cniVersion, 'IPv6'),
    });
    t.doesNotThrow(() => refuseInexpressible(ONE_EACH.ips, cniVersion));
  }
  t.doesNotThrow(() => refuseInexpressible(FULL.ips, '0.3.0'));
});

t.test('what each version writes is read back', async (t) => {
  const withoutExtras = decodeResult(EXPECTED['1.0.0'], 'r');
  for (const cniVersion of SUPPORTED_VERSIONS) {
    const decoded = decodeResult(
      JSON.parse(JSON.stringify(encodeResult(sayable(cniVersion), cniVersion))),
      'r',
    );
    if (cniVersion === '1.1.0') t.strictSame(decoded, FULL);
    else if (cniVersion >= '0.3.0') t.strictSame(decoded, withoutExtras, cniVersion);
    else {
      t.strictSame(
        decoded,
        {
          interfaces: [],
          ips: [
            { address: '10.1.0.2/16', gateway: '10.1.0.1' },
            { address: 'fd00::2/64', gateway: 'fd00::1' },
          ],
          routes: FULL.routes,
          dns: DNS,
        },
        cniVersion,
      );
    }
  }
});

t.test(
  'addresses come out canonical, strangers keys are dropped, empty strings and zeros mean absent',
  async (t) => {
    const decoded = decodeResult(
      {
        cniVersion: '1.0.0',
        interfaces: [{ name: 'eth0', mac: '', mtu: 0, sandbox: '', extra: 1 }],
        ips: [{ address: 'FD00:0:0::2/64', gateway: '', interface: 0 }],
        routes: [{ dst: '::/0', gw: 'FD00::1', priority: 0, table: 0, scope: 0 }],
        dns: { nameservers: [], domain: '' },
        extra: {},
      },
      'r',
    );
    t.strictSame(decoded, {
      interfaces: [{ name: 'eth0' }],
      ips: [{ address: 'fd00::2/64', interface: 0 }],
      routes: [{ dst: '::/0', gw: 'fd00::1', table: 0, scope: 0 }],
      dns: {},
    });
    t.strictSame(decodeResult({}, 'r'), EMPTY_RESULT);
  },
);

t.test('broken results are refused with the place of the fault', async (t) => {
  const cases: [unknown, string, ...string[]][] = [
    [[], 'bad-config', 'r', '[]'],
    [{ ips: {} }, 'bad-config', 'r.ips', '{}'],
    [{ ips: [{}] }, 'bad-config', 'r.ips[0].address'],
    [{ ips: [{ address: '10.0.0.1' }] }, 'bad-config', 'r.ips[0].address', '"10.0.0.1"'],
    [{ ips: [{ address: '10.0.0.1/8', interface: 0 }] }, 'bad-config', 'r.ips[0].interface', '0'],
    [
      { interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.1/8', interface: -1 }] },
      'bad-config',
      'r.ips[0].interface',
      '-1',
    ],
    [{ interfaces: [{ mac: 'x' }] }, 'bad-config', 'r.interfaces[0].name'],
    [{ routes: [{ dst: 'default' }] }, 'bad-config', 'r.routes[0].dst', '"default"'],
    [{ routes: [{ dst: '::/0', gw: 'x' }] }, 'bad-config', 'r.routes[0].gw', '"x"'],
    [{ routes: [{ dst: '::/0', scope: 256 }] }, 'bad-config', 'r.routes[0].scope', '256'],
    [{ ip4: { ip: '10.0.0.1/8', routes: [{ dst: 'x' }] } }, 'bad-config', 'r.ip4.routes[0].dst', '"x"'],
    [{ cniVersion: '3.0.0' }, 'bad-version', '"3.0.0"'],
  ];
  for (const [value, kind, ...things] of cases) {
    t.throws(() => decodeResult(value, 'r'), { kind, message: naming(...things) }, JSON.stringify(value));
    t.throws(() => decodeResult(value, 'r'), NetmoorError);
  }
});

t.test('a chained result follows the previous one, its indexes shifted', async (t) => {
  const ours: CniResult = {
    interfaces: [{ name: 'br1' }, { name: 'eth1', sandbox: '/x' }],
    ips: [{ address: '10.9.0.2/24', interface: 1 }, { address: '10.9.1.2/24' }],
    routes: [{ dst: '10.10.0.0/16' }],
    dns: {},
  };
  const merged = mergeResults(FULL, ours);
  t.strictSame(
    merged.interfaces.map(({ name }) => name),
    ['br0', 'eth0', 'br1', 'eth1'],
  );
  t.strictSame(merged.ips.slice(3), [{ address: '10.9.0.2/24', interface: 3 }, { address: '10.9.1.2/24' }]);
  t.equal(merged.routes.length, 4);
  t.strictSame(merged.dns, DNS, 'we said nothing');
  t.strictSame(mergeResults(FULL, { ...ours, dns: { domain: 'c' } }).dns, { domain: 'c' });
  t.strictSame(mergeResults(EMPTY_RESULT, FULL), FULL);
});
