/** What bridge-nat is asked to translate: read, refused, put on record, and made into what the tables hold. */
import t from 'tap';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import type { Circumstance } from '../../lib/nftables/rules.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { rulesOf } from '../../plugins/bridge-nat/detail.ts';
import { readConditions } from '../../plugins/bridge-nat/nat/conditions.ts';
import { planAttachment } from '../../plugins/bridge-nat/plan.ts';
import { naming } from '../naming.ts';
import { environmentOf } from './cni-fakes.ts';

const ipam = { ranges: [[{ subnet: '10.1.1.0/24' }], [{ subnet: 'fd00:1::/64' }]] };

function read(members: object): BridgeNatConfig {
  const stdin = Buffer.from(
    JSON.stringify({ cniVersion: '1.0.0', name: 'net1', type: 'bridge-nat', ipam, ...members }),
  );
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf('ADD')), stdin };
  return readBridgeNatConfig(readConfig(raw, configVersion(raw), 'ADD'), request);
}

const ports = (...portMappings: object[]) => ({ runtimeConfig: { portMappings } });
const http = { hostPort: 80, containerPort: 80, protocol: 'tcp' };

t.test('refused, naming what is wrong', async (t) => {
  const forward = { hostPort: 22210, to: '10.1.1.6:22' };
  const cases: [object, ...string[]][] = [
    [{ snat: { ipv4: 'x' } }, 'snat.ipv4', '"x"'],
    [{ snat: { ipv4: '2001:db8::5' } }, 'snat.ipv4', '2001:db8::5'],
    [{ snat: { ipv6: '203.0.113.5' } }, 'snat.ipv6', '203.0.113.5'],
    [{ snat: { ipv4: '203.0.113.5' }, ipMasq: false }, 'snat.ipv4', 'ipMasq'],
    [{ snat: { ipv6: '2001:db8::5' }, ipMasq: { ipv6: false } }, 'snat.ipv6', 'ipMasq'],
    [{ snat: 'yes' }, 'snat', '"yes"'],
    [{ snat: { ipv4: '203.0.113.5' }, ipam: {} }, 'snat'],
    [{ uplink: 'eth0/1' }, 'uplink', '"eth0/1"'],
    [{ uplink: ['eth0', 'eth*'] }, 'uplink'],
    [{ uplink: [] }, 'uplink'],
    [{ uplink: 'eth0', ipam: {} }, 'uplink'],
    [{ forwards: [{ ...forward, to: '10.1.1.6' }] }, 'forwards[0].to', '"10.1.1.6"'],
    [{ forwards: [{ ...forward, to: '10.1.1.6:0' }] }, 'forwards[0].to', '"10.1.1.6:0"'],
    [{ forwards: [{ ...forward, to: 'fd00:1::6:22' }] }, 'forwards[0].to'],
    [{ forwards: [{ ...forward, to: '10.9.9.6:22' }] }, 'forwards', '10.9.9.6'],
    [{ forwards: [{ ...forward, hostIP: '2001:db8::5' }] }, 'forwards[0]', 'hostIP'],
    [{ forwards: [{ ...forward, hostIP: 'nowhere' }] }, 'forwards[0].hostIP', '"nowhere"'],
    [{ forwards: [{ ...forward, hostIP: '224.0.0.1' }] }, 'forwards[0].hostIP', '224.0.0.1'],
    [{ forwards: [{ ...forward, protocol: 'icmp' }] }, 'forwards[0].protocol', '"icmp"'],
    [{ forwards: [{ ...forward, range: 65535 }] }, 'forwards[0]', '65535'],
    [{ forwards: [{ ...forward, hostPort: 0 }] }, 'forwards[0].hostPort', '0'],
    [{ forwards: [forward, { ...forward, hostPort: 22201, range: 20 }] }, 'forwards', '22210'],
    [{ forwards: [forward], ipam: {} }, 'forwards'],
    ...['10.1.1.1', '10.1.1.255', '10.1.1.0'].map((to): [object, ...string[]] => [
      { forwards: [{ ...forward, to: `${to}:22` }] },
      ...['forwards', to],
    ]),
    [{ forwards: [{ ...forward, to: '[fd00:1::1]:22' }] }, 'forwards', 'fd00:1::1'],
    [{ oneToOne: { '203.0.113.9': '10.1.1.1' } }, 'oneToOne', '10.1.1.1'],
    [{ oneToOne: [{ public: '203.0.113.9', container: '10.9.9.9' }] }, 'oneToOne', '10.9.9.9'],
    [{ oneToOne: [{ public: '10.1.1.200', container: '10.1.1.9' }] }, 'oneToOne', '10.1.1.200'],
    [{ oneToOne: [{ public: '203.0.113.9', container: 'fd00:1::9' }] }, 'oneToOne[0]', 'fd00:1::9'],
    [{ oneToOne: { '203.0.113.9': '10.1.1.9', '203.0.113.8': '10.1.1.9' } }, 'oneToOne', '10.1.1.9'],
    [
      { forwards: [{ ...forward, hostIP: '203.0.113.9' }], oneToOne: { '203.0.113.9': '10.1.1.9' } },
      ...['forwards', '22210', '203.0.113.9', '10.1.1.9'],
    ],
    [{ oneToOne: { here: '10.1.1.9' } }, 'oneToOne', '"here"'],
    [{ oneToOne: { '127.0.0.1': '10.1.1.9' } }, 'oneToOne', '127.0.0.1'],
    [{ oneToOne: { 'ff02::1': 'fd00:1::9' } }, 'oneToOne', 'ff02::1'],
    [{ markMasqBit: 5, externalSetMarkChain: 'KUBE-MARK-MASQ' }, 'externalSetMarkChain', 'markMasqBit'],
    [{ markMasqBit: 32 }, 'markMasqBit', '32'],
    [{ backend: 'pf' }, 'backend', '"pf"'],
    [{ conditionsV4: ['ip daddr 192.0.2.0/24', 'tcp dport 80'] }, 'conditionsV4', '"tcp dport 80"'],
    [{ conditionsV4: ['ip6 daddr 2001:db8::/64'] }, 'conditionsV4', '"ip6 daddr 2001:db8::/64"'],
    [{ conditionsV6: ['ip daddr 192.0.2.0/24'] }, 'conditionsV6', '"ip daddr 192.0.2.0/24"'],
    [{ conditionsV4: ['ip daddr 2001:db8::1'] }, 'conditionsV4', '"2001:db8::1"'],
    [{ conditionsV4: ['ip saddr @trusted'] }, 'conditionsV4', '"ip saddr @trusted"'],
    [{ conditionsV4: ['ip saddr < 10.0.0.1'] }, 'conditionsV4'],
    [{ conditionsV4: ['iifname != "eth0"'] }, 'conditionsV4', 'eth0'],
    [{ conditionsV4: ['iifname eth0 iifname eth1'] }, 'conditionsV4', '"iifname eth1"'],
    [
      { conditionsV4: ['-m', 'set', '--match-set', 'x', 'src'] },
      'conditionsV4',
      '"-m set --match-set x src"',
    ],
    [{ conditionsV4: ['-d'] }, 'conditionsV4', '"-d"'],
    [{ conditionsV4: ['ip saddr 10.0.0.0/8', 'ip saddr 192.0.2.1'] }, 'conditionsV4', '"ip saddr 192.0.2.1"'],
    [{ conditionsV4: ['ip saddr { 10.0.0.1'] }, 'conditionsV4'],
    [
      { conditionsV4: ['-d', '192.0.2.0/24'], ...ports({ ...http, hostIP: '203.0.113.5' }) },
      '203.0.113.5:80',
      'conditionsV4',
    ],
  ];
  for (const [members, ...things] of cases) {
    const wanted = { kind: 'bad-config', message: naming(...things) };
    t.throws(() => read(members), wanted, JSON.stringify(members));
  }
  const unknown = { kind: 'unsupported-field', message: naming('hostport'), details: naming('"hostPort"') };
  t.throws(() => read({ forwards: [{ hostPort: 1, to: '10.1.1.6:22', hostport: 1 }] }), unknown);
  const family = { kind: 'unsupported-field', message: naming('ip4'), details: naming('"ipv4"') };
  t.throws(() => read({ snat: { ip4: '203.0.113.5' } }), family);
});

function shown(circumstances: readonly Circumstance[] | undefined): unknown {
  const span = (of: Circumstance['source']) => of && `${formatAddress(of.first)}-${formatAddress(of.last)}`;
  return circumstances?.map(({ source, destination, ifname }) =>
    [source && `from ${span(source)}`, destination && `to ${span(destination)}`, ifname && `by ${ifname}`]
      .filter(Boolean)
      .join(' '),
  );
}

t.test('conditions in the languages of nft and of iptables', async (t) => {
  const cases: [string[], string[] | undefined][] = [
    [[], undefined],
    [[''], undefined],
    [['ip daddr 192.0.2.0/24'], ['to 192.0.2.0-192.0.2.255']],
    [['ip', 'daddr', '192.0.2.7'], ['to 192.0.2.7-192.0.2.7']],
    [['ip saddr != 10.0.0.0/8'], ['from 0.0.0.0-9.255.255.255', 'from 11.0.0.0-255.255.255.254']],
    [['ip saddr eq 10.0.0.1-10.0.0.9'], ['from 10.0.0.1-10.0.0.9']],
    [['ip saddr { 10.0.0.1, 10.0.0.4/31 }'], ['from 10.0.0.1-10.0.0.1', 'from 10.0.0.4-10.0.0.5']],
    [['ip saddr {10.0.0.0/31,10.0.0.2/31}'], ['from 10.0.0.0-10.0.0.3']],
    [['ip saddr 0.0.0.0/0'], ['from 0.0.0.0-255.255.255.254']],
    [
      ['ip saddr 10.0.0.0/8', 'ip saddr != 10.1.0.0/16'],
      ['from 10.0.0.0-10.0.255.255', 'from 10.2.0.0-10.255.255.255'],
    ],
    [['iifname eth0'], ['by eth0']],
    [['iifname "eth*"'], ['by eth*']],
    [
      ['meta iifname == { "eth0", "wg0" } ip daddr 192.0.2.7'],
      ['to 192.0.2.7-192.0.2.7 by eth0', 'to 192.0.2.7-192.0.2.7 by wg0'],
    ],
    [['-d', '192.0.2.0/24'], ['to 192.0.2.0-192.0.2.255']],
    [['!', '-d', '0.0.0.0/1'], ['to 128.0.0.0-255.255.255.254']],
    [
      ['--source', '192.0.2.1,192.0.2.3', '-i', 'eth+'],
      ['from 192.0.2.1-192.0.2.1 by eth*', 'from 192.0.2.3-192.0.2.3 by eth*'],
    ],
    [
      ['! --src 10.0.0.0/8 --destination 192.0.2.7'],
      [
        'from 0.0.0.0-9.255.255.255 to 192.0.2.7-192.0.2.7',
        'from 11.0.0.0-255.255.255.254 to 192.0.2.7-192.0.2.7',
      ],
    ],
  ];
  for (const [items, wanted] of cases)
    t.strictSame(shown(readConditions('conditionsV4', items)), wanted, items.join(' '));
  t.strictSame(shown(readConditions('conditionsV6', ['ip6 saddr', '!=', '2000::/3'])), [
    'from ::-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    'from 4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe',
  ]);
});

t.test('what has no effect is told', async (t) => {
  t.strictSame(read({ masqAll: true }).nat?.notes, []);
  t.match(read({ markMasqBit: 13 }).nat?.notes, [naming('markMasqBit')]);
  t.match(read({ externalSetMarkChain: 'KUBE-MARK-MASQ' }).nat?.notes, [naming('externalSetMarkChain')]);
  t.match(read({ snat: false, masqAll: true }).nat?.notes, [naming('masqAll', 'snat')]);
});

/** The rules of a container of both families, as its record says them. */
function rules(members: object) {
  const config = read(members);
  const addresses = ['10.1.1.6/24', 'fd00:1::6/64'].map((address) => ({ address }));
  const { detail, ports: forwarded = [] } = planAttachment(config, { addresses, routes: undefined, dns: {} });
  const mapped = config.portMappings.map(({ hostIp, ...port }) => ({
    ...port,
    ...(hostIp ? { hostIp: formatAddress(hostIp) } : {}),
  }));
  return rulesOf({
    ...{ version: 2, network: 'net1', containerId: 'c1', ifname: 'eth0', plugin: 'bridge-nat' },
    ...{ state: 'attached', incarnation: 'x', bootId: 'b', createdAt: 1, segment: 'nm-net1' },
    ...{ addresses, ports: [...mapped, ...forwarded], detail: JSON.parse(JSON.stringify(detail)) },
  });
}

const four = parseAddress('10.1.1.6');
const six = parseAddress('fd00:1::6');

t.test('how packets leave', async (t) => {
  const plain = rules({});
  t.match(plain, { masquerade: [four, six], sources: [], oneToOne: [] });
  t.notOk('redirectedSource' in plain.rules);
  t.strictSame(rules({ ipMasq: { ipv6: false } }).masquerade, [four]);
  t.strictSame(rules({ ipMasq: { ipv4: false, ipv6: true } }).masquerade, [six]);
  t.strictSame(rules({ ipMasq: { ipv4: false, ipv6: false } }).masquerade, []);
  const source = parseAddress('203.0.113.5');
  t.match(rules({ snat: { ipv4: '203.0.113.5' } }), {
    masquerade: [six],
    sources: [{ address: four, to: source }],
  });
  t.strictSame(rules({ uplink: ['eth0', 'eth1'], snat: { ipv4: '203.0.113.5' } }).sources, [
    { address: four, to: source, uplinks: ['eth0', 'eth1'] },
    { address: six, uplinks: ['eth0', 'eth1'] },
  ]);
  t.strictSame(rules({ uplink: 'eth0' }).masquerade, [], 'by that interface alone');
  const mapped = rules({
    oneToOne: { '203.0.113.9': '10.1.1.6', '203.0.113.8': '10.1.1.7' },
    uplink: 'eth0',
  });
  t.strictSame(
    mapped.oneToOne,
    [{ public: parseAddress('203.0.113.9'), container: four }],
    "the other is another's",
  );
  t.strictSame(mapped.sources, [{ address: six, uplinks: ['eth0'] }], 'and by nothing else');
  t.equal(rules({ snat: false }).rules.redirectedSource, 'kept');
  t.equal(rules({ masqAll: true }).rules.redirectedSource, 'ours');
  t.equal(rules({ masqAll: true, snat: false }).rules.redirectedSource, 'kept');
});

t.test('how packets come in', async (t) => {
  const forwards = [
    { hostIP: '203.0.113.5', hostPort: 22210, to: '10.1.1.6:22' },
    { protocol: 'UDP', hostPort: 5000, range: 10, to: '[fd00:1::6]:5000' },
    { hostPort: 22207, to: '10.1.1.7:22' },
  ];
  const conditionsV4 = ['ip daddr 203.0.113.0/24', 'iifname eth0'];
  const asked = rules({
    forwards,
    conditionsV4,
    ...ports({ ...http, hostIP: '203.0.113.5' }, { ...http, hostPort: 81 }),
  });
  const to = { first: parseAddress('203.0.113.0'), last: parseAddress('203.0.113.255') };
  t.strictSame(asked.forwards, [
    {
      ...{ protocol: 'tcp', hostPort: 80, containerPort: 80, count: 1, container: four },
      ...{ hostIp: parseAddress('203.0.113.5'), only: [{ ifname: 'eth0' }] },
    },
    {
      ...{ protocol: 'tcp', hostPort: 81, containerPort: 80, count: 1, container: four },
      only: [{ ifname: 'eth0', destination: to }],
    },
    { protocol: 'tcp', hostPort: 81, containerPort: 80, count: 1, container: six },
    {
      ...{ protocol: 'tcp', hostPort: 22210, containerPort: 22, count: 1, container: four },
      hostIp: parseAddress('203.0.113.5'),
    },
    { protocol: 'udp', hostPort: 5000, containerPort: 5000, count: 10, container: six },
  ]);
});

t.test('an automatic network knows its subnets when it has addresses', async (t) => {
  const config = read({ ipam: { type: 'netmoor' }, oneToOne: { '203.0.113.9': '10.9.9.9' } });
  const leased = { addresses: [{ address: '10.89.0.2/24' }], routes: undefined, dns: {} };
  t.throws(() => planAttachment(config, leased), { kind: 'bad-config', message: naming('10.9.9.9') });
});

t.test("another IPAM plugin's addresses tell who the gateway is", async (t) => {
  for (const [type, address] of [
    ['netmoor', '10.89.0.1'],
    ['host-local', '10.89.0.1'],
    ['host-local', '10.89.0.255'],
  ] as const) {
    const config = read({ ipam: { type }, forwards: [{ hostPort: 80, to: `${address}:80` }] });
    const leased = { addresses: [{ address: '10.89.0.2/24' }], routes: undefined, dns: {} };
    t.throws(() => planAttachment(config, leased), { kind: 'bad-config', message: naming(address) });
  }
});
