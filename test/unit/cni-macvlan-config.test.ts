/** macvlan-v6's configuration: defaults, the reference's meanings, where addresses come from, contradictions. */
import t from 'tap';
import { readFileSync, readdirSync } from 'node:fs';
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress } from '../../lib/base/ip.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { parsePool } from '../../ipam/pool.ts';
import { readMacvlanConfig } from '../../plugins/macvlan-v6/config.ts';
import type { MacvlanConfig } from '../../plugins/macvlan-v6/config.ts';
import { validate } from '../../schemas/compiled/conflist.js';
import { environmentOf } from './cni-fakes.ts';

const EXAMPLES = new URL('../../schemas/examples/', import.meta.url);
const V4 = [{ subnet: '192.0.2.0/24' }];
const V6 = [{ subnet: '2001:db8:1::/64' }];

function read(members: object, args = ''): MacvlanConfig {
  const stdin = Buffer.from(
    JSON.stringify({ cniVersion: '1.0.0', name: 'net1', type: 'macvlan-v6', ...members }),
  );
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf('ADD', { CNI_ARGS: args })), stdin };
  return readMacvlanConfig(readConfig(raw, configVersion(raw), 'ADD'), request);
}

/** The addresses that a pool of the configuration could hand out, as first-last of each set. */
function rangesOf({ ipam }: MacvlanConfig): string[] {
  if (ipam.kind !== 'netmoor') return [];
  return parsePool(ipam.pool, ipam.extraRanges).sets.map((set) =>
    set.map(({ start, end }) => `${formatAddress(start)}-${formatAddress(end)}`).join(' '),
  );
}

t.test('nothing but the type: an IPv6 citizen by what routers say', async (t) => {
  t.strictSame(read({}), {
    ipam: { kind: 'none' },
    requestedAddresses: [],
    withoutGateway: [],
    slaac: true,
    dhcp: undefined,
    dhcp4: false,
    dhcp6: undefined,
    identifier: 'eui64',
    askedOfRouters: [],
    mac: undefined,
    containerName: undefined,
    podNamespace: '',
    portMappings: [],
    master: '',
    linkInContainer: false,
    mode: 'bridge',
    mtu: undefined,
    bcQueueLength: undefined,
    dad: 'optimistic',
    timeout: 10_000,
    allowLinkLocalOnly: false,
    hostAccess: false,
    spoofCheck: 'on',
    allowRouterAdvertisements: false,
    allowDhcpServer: false,
    machine: '',
    masterIndex: undefined,
    masterMac: undefined,
  });
});

t.test('every key of the reference macvlan', async (t) => {
  const config = read(
    {
      master: 'eth1',
      mode: 'private',
      mtu: 1400,
      mac: '02:00:00:00:00:0A',
      linkInContainer: false,
      bcqueuelen: 2000,
      ipam: { type: 'host-local', ranges: [V4] },
      dns: { nameservers: ['192.0.2.1'] },
      _comment: 'x',
    },
    'K8S_POD_NAME=web',
  );
  t.match(config, {
    master: 'eth1',
    mode: 'private',
    mtu: 1400,
    mac: '02:00:00:00:00:0a',
    bcQueueLength: 2000,
    containerName: 'web',
    ipam: { kind: 'delegated', type: 'host-local' },
  });
  t.match(read({ master: '', mode: '', mtu: 0, mac: '', bcqueuelen: 0 }), {
    master: '',
    mode: 'bridge',
    mtu: undefined,
    mac: undefined,
    bcQueueLength: undefined,
  });
  t.equal(
    read({ mac: '02:00:00:00:00:0a', runtimeConfig: { mac: '02:00:00:00:00:0b' } }).mac,
    '02:00:00:00:00:0b',
    'what the runtime asks for counts before the configuration',
  );
});

t.test('where IPv6 addresses come from when nobody says', async (t) => {
  const cases: [object, boolean, string[]][] = [
    [{}, true, []],
    [{ ipam: {} }, true, []],
    [{ ipam: { ranges: [V4] } }, true, ['192.0.2.1-192.0.2.254']],
    [{ ipam: { ranges: [V6] } }, false, ['2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff']],
    [
      { ipam: { subnet: '2001:db8:1::/64', rangeEnd: '2001:db8:1::9' } },
      false,
      ['2001:db8:1::1-2001:db8:1::9'],
    ],
    [{ addresses: ['2001:db8:1::5/64'] }, false, ['2001:db8:1::5-2001:db8:1::5']],
    [{ addresses: ['192.0.2.5/24'] }, true, ['192.0.2.5-192.0.2.5']],
    [{ runtimeConfig: { ips: ['2001:db8:1::5/64'] } }, false, ['2001:db8:1::5-2001:db8:1::5']],
    [{ ipam: { type: 'host-local', ranges: [V6] } }, false, []],
    [{ ipam: { type: 'static', addresses: [{ address: '2001:db8::5/64' }] } }, false, []],
    [{ ipam: { type: 'dhcp' } }, true, []],
    [
      { addressing: ['slaac', 'pool'], ipam: { ranges: [V6] } },
      true,
      ['2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff'],
    ],
    [{ addressing: 'none', ipam: { ranges: [V4] } }, false, ['192.0.2.1-192.0.2.254']],
    [{ addressing: 'none' }, false, []],
  ];
  for (const [members, slaac, ranges] of cases) {
    const config = read(members);
    t.equal(config.slaac, slaac, JSON.stringify(members));
    t.strictSame(rangesOf(config), ranges);
  }
});

t.test('addresses that are asked for', async (t) => {
  const inRange = read({ ipam: { ranges: [V6] }, runtimeConfig: { ips: ['2001:db8:1::7'] } });
  t.strictSame(inRange.requestedAddresses.map(formatAddress), ['2001:db8:1::7']);
  t.strictSame(inRange.withoutGateway, [], 'the range has a gateway');
  const beside = read({ ipam: { ranges: [V4] }, runtimeConfig: { ips: ['2001:db8:2::7/64', '192.0.2.9'] } });
  t.strictSame(beside.requestedAddresses.map(formatAddress), ['192.0.2.9', '2001:db8:2::7']);
  t.strictSame(beside.withoutGateway.map(formatAddress), ['2001:db8:2::7']);
  const withGateway = read({ addresses: [{ address: '2001:db8:2::7/64', gateway: '2001:db8:2::1' }] });
  t.strictSame(withGateway.withoutGateway, []);
});

t.test('an address that only routers can give: its lower half is chosen', async (t) => {
  const chosen = (members: object): object => {
    const { identifier, askedOfRouters, requestedAddresses, slaac } = read(members);
    return {
      identifier: typeof identifier === 'string' ? identifier : formatAddress(identifier),
      asked: askedOfRouters.map(formatAddress),
      requested: requestedAddresses.map(formatAddress),
      slaac,
    };
  };
  const ips = ['2001:db8:1::5', '2001:db8:2::5', '192.0.2.9'];
  t.strictSame(chosen({ ipam: { ranges: [V4] }, runtimeConfig: { ips } }), {
    identifier: '::5',
    asked: ['2001:db8:1::5', '2001:db8:2::5'],
    requested: ['192.0.2.9'],
    slaac: true,
  });
  t.match(
    chosen({ interfaceIdentifier: '::9', runtimeConfig: { ips: ['2001:db8:1::5'] } }),
    { identifier: '::5' },
    'what is asked for counts first',
  );
  t.match(
    chosen({ ipam: { type: 'host-local', ranges: [V4] }, runtimeConfig: { ips } }),
    { asked: ['2001:db8:1::5', '2001:db8:2::5'], requested: ['192.0.2.9'] },
    'beside another IPAM plugin',
  );
  t.match(
    chosen({ ipam: { type: 'host-local', ranges: [V4, V6] }, runtimeConfig: { ips } }),
    { asked: [], requested: ips },
    'which may give IPv6 addresses itself',
  );
  const opaque = { interfaceIdentifier: 'stable-privacy', runtimeConfig: { ips: ['2001:db8:1::5'] } };
  t.match(chosen(opaque), { identifier: 'stable-privacy', asked: ['2001:db8:1::5'] }, 'to be compared later');
});

t.test('what DHCP servers are asked', async (t) => {
  const asked = (members: object): object => {
    const { slaac, dhcp4, dhcp6, dhcp, ipam } = read(members);
    return { slaac, dhcp4, dhcp6, seconds: dhcp && dhcp.timeout / 1000, ipam: ipam.kind };
  };
  const dhcpIpam = (ip?: unknown, more = {}): object => ({ ipam: { type: 'dhcp-ipam', ip, ...more } });
  const cases: [object, object][] = [
    [{ addressing: 'dhcp6' }, { slaac: false, dhcp4: false, dhcp6: 'stateful', seconds: 20, ipam: 'none' }],
    [{ addressing: 'dhcp6', timeout: 5 }, { seconds: 5 }],
    [{ addressing: ['slaac', 'dhcp6'] }, { slaac: true, dhcp6: 'stateful' }],
    [{ addressing: 'auto' }, { slaac: true, dhcp4: false, dhcp6: 'as-told' }],
    [
      { addressing: 'dhcp6', ipam: { ranges: [V4] } },
      { dhcp6: 'stateful', dhcp4: false, ipam: 'netmoor' },
    ],
    [{ addressing: 'dhcp6', ipam: { type: 'host-local', ranges: [V4] } }, { ipam: 'delegated' }],
    [dhcpIpam(), { slaac: true, dhcp4: true, dhcp6: undefined, ipam: 'none' }],
    [dhcpIpam(6), { slaac: false, dhcp4: false, dhcp6: 'stateful' }],
    [dhcpIpam('both', { timeout: 7 }), { slaac: false, dhcp4: true, dhcp6: 'stateful', seconds: 7 }],
    [dhcpIpam(6, { stateless: true }), { slaac: true, dhcp4: false, dhcp6: 'stateless' }],
    [
      { addressing: 'dhcp6', ...dhcpIpam(4) },
      { slaac: false, dhcp4: true, dhcp6: 'stateful' },
    ],
    [
      { addressing: 'auto', ...dhcpIpam(4) },
      { slaac: true, dhcp4: true, dhcp6: 'as-told' },
    ],
    [
      { addressing: 'slaac', ...dhcpIpam('both') },
      { slaac: true, dhcp4: true, dhcp6: 'stateful' },
    ],
    [
      { addressing: 'none', ...dhcpIpam() },
      { slaac: false, dhcp4: true, dhcp6: undefined },
    ],
  ];
  for (const [members, wanted] of cases) t.match(asked(members), wanted, JSON.stringify(members));
  t.same(read(dhcpIpam(6, { hostname: 'boat' })).dhcp?.ipam, { hostname: 'boat' }, 'its keys are passed on');
});

t.test('contradictions', async (t) => {
  const cases: [object, string][] = [
    [{ mode: 'source' }, 'bad-config'],
    [{ macvtap: true }, 'unsupported-field'],
    [{ mtu: 60 }, 'bad-config'],
    [{ mac: '01:00:00:00:00:01' }, 'bad-config'],
    [{ master: 'a/b' }, 'bad-config'],
    [{ linkInContainer: true }, 'bad-config'],
    [{ linkInContainer: true, master: 'eth0', hostAccess: true }, 'bad-config'],
    [{ hostAccess: true, mode: 'private' }, 'bad-config'],
    [{ addressing: 'dhcp' }, 'bad-config'],
    [{ addressing: ['dhcp6', 'auto'] }, 'bad-config'],
    [{ addressing: ['dhcp6', 'none'] }, 'bad-config'],
    [{ addressing: 'none', ipam: { type: 'dhcp-ipam', ip: 6 } }, 'bad-config'],
    [{ addressing: 'pool', ipam: { type: 'dhcp-ipam', ip: 'both' } }, 'bad-config'],
    [{ addressing: 'dhcp6', ipam: { ranges: [V6] } }, 'bad-config'],
    [{ addressing: ['slaac', 'auto'] }, 'bad-config'],
    [{ addressing: [] }, 'bad-config'],
    [{ addressing: ['none', 'slaac'] }, 'bad-config'],
    [{ addressing: 'pool' }, 'bad-config'],
    [{ addressing: 'pool', ipam: { ranges: [V4] } }, 'bad-config'],
    [{ addressing: 'slaac', ipam: { ranges: [V6] } }, 'bad-config'],
    [{ addressing: 'static' }, 'bad-config'],
    [{ addressing: 'slaac', addresses: ['2001:db8::5/64'] }, 'bad-config'],
    [{ ipam: { type: 'netmoor' } }, 'bad-config'],
    [{ ipam: { type: 'dhcp' }, addresses: ['2001:db8::5/64'] }, 'bad-config'],
    [{ addresses: ['2001:db8::5'] }, 'bad-config'],
    [{ addresses: ['2001:db8::5/128'] }, 'bad-config'],
    [{ addresses: [{ address: '2001:db8::5/64', gateway: '192.0.2.1' }] }, 'bad-config'],
    [{ addresses: [{ gateway: '192.0.2.1' }] }, 'bad-config'],
    [{ addressing: 'none', runtimeConfig: { ips: ['2001:db8::5'] } }, 'bad-config'],
    [{ ipam: { ranges: [V6] }, runtimeConfig: { ips: ['2001:db8::5'] } }, 'bad-config'],
    [{ runtimeConfig: { ips: ['192.0.2.5'] } }, 'bad-config'],
    [{ runtimeConfig: { ips: ['2001:db8:1::5', '2001:db8:2::6'] } }, 'bad-config'],
    [{ runtimeConfig: { ips: ['2001:db8:1::'] } }, 'bad-config'],
    [{ interfaceIdentifier: '2001:db8::5' }, 'bad-config'],
    [{ interfaceIdentifier: '::' }, 'bad-config'],
    [{ interfaceIdentifier: 'random' }, 'bad-config'],
    [{ dad: 'maybe' }, 'bad-config'],
    [{ timeout: 0 }, 'bad-config'],
    [{ timeout: 1000 }, 'bad-config'],
    [{ macspoofchk: 'yes' }, 'bad-config'],
    [{ runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80 }] } }, 'bad-config'],
    [{ dns: { nameservers: ['ns1'] } }, 'bad-config'],
    [{ cniVersion: '0.2.0', addressing: 'none' }, 'bad-config'],
  ];
  for (const [members, kind] of cases) {
    try {
      read(members);
      t.fail(`${JSON.stringify(members)} was accepted`);
    } catch (error) {
      t.equal(error instanceof NetmoorError && error.kind, kind, JSON.stringify(members));
      t.ok(error instanceof NetmoorError && error.details !== '', 'and it says what to do');
    }
  }
});

t.test('every example with macvlan-v6 is read', async (t) => {
  for (const file of readdirSync(EXAMPLES)) {
    const list: unknown = JSON.parse(readFileSync(new URL(file, EXAMPLES), 'utf8'));
    if (!validate(list)) throw new Error(file);
    for (const plugin of (list.plugins ?? []).filter(({ type }) => type === 'macvlan-v6'))
      t.ok(read({ ...plugin, cniVersion: list.cniVersion ?? '1.0.0', name: list.name }), file);
  }
});
