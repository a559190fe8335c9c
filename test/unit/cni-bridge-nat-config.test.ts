/** bridge-nat's configuration: defaults, the reference's meanings, contradictions, unknown keys, and every example. */
import t from 'tap';
import { readFileSync, readdirSync } from 'node:fs';
import { formatAddress, parsePrefix } from '../../lib/base/ip.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import type { Leased } from '../../lib/mooring/kind.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { notesOnNameServers } from '../../plugins/bridge-nat/isolation.ts';
import { mayShareSubnet } from '../../plugins/bridge-nat/bridge/ndp-proxy.ts';
import { planAttachment } from '../../plugins/bridge-nat/plan.ts';
import { parsePool } from '../../ipam/pool.ts';
import { validate } from '../../schemas/compiled/conflist.js';
import { environmentOf } from './cni-fakes.ts';
import { naming } from '../naming.ts';

const EXAMPLES = new URL('../../schemas/examples/', import.meta.url);
const RANGES = [[{ subnet: '10.1.0.0/16' }]];

function read(members: object, args = ''): BridgeNatConfig {
  const stdin = Buffer.from(
    JSON.stringify({ cniVersion: '1.0.0', name: 'net1', type: 'bridge-nat', ...members }),
  );
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf('ADD', { CNI_ARGS: args })), stdin };
  return readBridgeNatConfig(readConfig(raw, configVersion(raw), 'ADD'), request);
}

t.test('nothing but the type: netmoor decides', async (t) => {
  t.strictSame(read({}), {
    bridge: undefined,
    isGateway: true,
    isDefaultGateway: true,
    ipMasq: true,
    onForeignBridge: { isGateway: false, isDefaultGateway: false, ipMasq: false },
    forceAddress: false,
    mtu: undefined,
    hairpinMode: false,
    promiscMode: false,
    macspoofchk: false,
    egress: undefined,
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    keepBridge: false,
    ingressPolicy: 'open',
    members: [],
    ndpProxy: undefined,
    isolation: { apart: true, joined: [], spoofchk: false, allowServers: false, hostAccess: undefined },
    ipam: { kind: 'netmoor', automatic: true, pool: {}, extraRanges: [] },
    mac: undefined,
    requestedAddresses: [],
    containerName: undefined,
    portMappings: [],
    bandwidth: undefined,
    nat: undefined,
    dhcpServer: undefined,
    tuning: undefined,
    sourceRouting: undefined,
    vlans: undefined,
    notes: [],
    dns: {},
  });
});

t.test('every key of the reference bridge', async (t) => {
  const config = read(
    {
      bridge: 'cni0',
      isGateway: true,
      isDefaultGateway: true,
      forceAddress: true,
      ipMasq: false,
      ipMasqBackend: 'iptables',
      mtu: 1400,
      hairpinMode: true,
      vlan: 0,
      vlanTrunk: [],
      preserveDefaultVlan: true,
      macspoofchk: true,
      enabledad: true,
      portIsolation: true,
      ipam: { ranges: RANGES },
      dns: { nameservers: ['10.1.0.1'] },
      args: { cni: { mac: '02:00:00:00:00:02', labels: [] } },
      capabilities: { portMappings: true },
      runtimeConfig: {
        portMappings: [{ hostPort: 80, containerPort: 80 }],
        ips: ['10.1.0.9'],
        unknownCapability: 1,
      },
      prevResult: {},
      'cni.dev/x': 1,
      _comment: 'x',
      '// why': 'x',
    },
    'K8S_POD_NAME=web;MAC=02:00:00:00:00:01',
  );
  t.match(config, {
    bridge: 'cni0',
    isDefaultGateway: true,
    forceAddress: true,
    ipMasq: false,
    mtu: 1400,
    hairpinMode: true,
    macspoofchk: true,
    enabledad: true,
    portIsolation: true,
    mac: '02:00:00:00:00:02',
    containerName: 'web',
    portMappings: [{ hostPort: 80 }],
  });
  t.strictSame(config.requestedAddresses.map(formatAddress), ['10.1.0.9']);
});

t.test('gateway and masquerade', async (t) => {
  const ipam = { ranges: RANGES };
  const cases: [object, Partial<BridgeNatConfig>][] = [
    [{ ipam }, { isGateway: true, isDefaultGateway: false, ipMasq: true }],
    [
      { ipam, isGateway: false },
      { isGateway: false, isDefaultGateway: false, ipMasq: false },
    ],
    [
      { ipam, isGateway: false, ipMasq: true },
      { isGateway: false, ipMasq: true },
    ],
    [
      { ipam, isGateway: false, isDefaultGateway: true },
      { isGateway: true, isDefaultGateway: true },
    ],
    [
      { ipam, ipMasq: false },
      { isGateway: true, ipMasq: false },
    ],
    [{ isGateway: false }, { isGateway: false, isDefaultGateway: false }],
    [{ isDefaultGateway: false }, { isGateway: true, isDefaultGateway: false }],
    [
      { ipam: {}, isGateway: true, ipMasq: true },
      { isGateway: false, isDefaultGateway: false, ipMasq: false },
    ],
    [
      { ipam, mtu: 0, vlan: 0, bridge: '' },
      { mtu: undefined, bridge: undefined },
    ],
    [
      { ipam, ingressPolicy: '', ipMasqBackend: '', firewalldZone: '', iptablesAdminChainName: '' },
      { ingressPolicy: 'open', notes: [] },
    ],
  ];
  for (const [members, expected] of cases) t.match(read(members), expected, JSON.stringify(members));
});

t.test('on the host’s LAN its router is the router', async (t) => {
  const ipam = { subnet: '192.0.2.0/24', gateway: '192.0.2.1' };
  const lan = { ipam, members: ['eth1', { interface: 'eth0', moveAddresses: true, optional: true }] };
  t.match(read(lan), {
    isGateway: false,
    isDefaultGateway: false,
    ipMasq: false,
    members: [{ interface: 'eth1' }, { interface: 'eth0', moveAddresses: true, optional: true }],
  });
  t.match(read({ ...lan, isGateway: true }), { isGateway: true, ipMasq: false });
  t.match(
    read({ ipam, members: ['eth1'] }),
    { isGateway: true, ipMasq: true },
    'a card is not the LAN of the host',
  );
  const leased = (gateway: string): Leased => ({
    addresses: [{ address: '192.0.2.9/24', gateway, scope: 'x' }],
    routes: undefined,
    dns: {},
  });
  const routes = (members: object): unknown =>
    planAttachment(read(members), leased('192.0.2.1')).detail.routes;
  t.strictSame(routes(lan), [{ dst: '0.0.0.0/0', gw: '192.0.2.1' }]);
  t.strictSame(
    routes({ ...lan, ipam: { subnet: '192.0.2.0/24' } }),
    [],
    'a router that nobody named is none',
  );
});

t.test('neighbours that are answered', async (t) => {
  const ipam = { subnet: '2001:db8::1:0:0:0/80' };
  t.strictSame(read({ ipam, ndpProxy: true }).ndpProxy, []);
  t.strictSame(read({ ipam, ndpProxy: 'eth0' }).ndpProxy, ['eth0']);
  t.strictSame(read({ ipam, ndpProxy: ['eth0', 'eth1'] }).ndpProxy, ['eth0', 'eth1']);
  t.equal(read({ ipam, ndpProxy: false }).ndpProxy, undefined);
  for (const more of [{}, { ipam: { ranges: RANGES } }, { ipam: {} }, { ipam, ndpProxy: 'all' }])
    t.throws(() => read({ ndpProxy: true, ...more }), { kind: 'bad-config', message: naming('ndpProxy') });
  const [inner, outer] = ['2001:db8::1:0:0:0/80', '2001:db8::/64'].map(parsePrefix);
  if (inner === undefined || outer === undefined) throw new Error('two prefixes');
  const detail = { ndpProxy: ['eth0'], members: [{ interface: 'eth1', moveAddresses: true }] };
  t.ok(mayShareSubnet(detail, inner, 'eth0', outer));
  t.notOk(mayShareSubnet(detail, inner, 'eth2', outer));
  t.notOk(mayShareSubnet(detail, outer, 'eth0', inner), 'the larger one would lose');
  t.notOk(mayShareSubnet(detail, outer, 'eth0', outer));
  t.ok(mayShareSubnet(detail, outer, 'eth1', outer));
  t.notOk(mayShareSubnet({}, inner, 'eth0', outer));
});

t.test('who gives the addresses', async (t) => {
  const kind = (members: object) => read(members).ipam;
  t.match(kind({ ipam: {} }), { kind: 'none' });
  t.match(kind({ ipam: { type: '' } }), { kind: 'none' });
  t.match(kind({ disableContainerInterface: true }), { kind: 'none' });
  t.match(kind({ ipam: { type: 'netmoor' } }), { kind: 'netmoor', automatic: true });
  t.match(kind({ ipam: { resolvConf: '/etc/resolv.conf' } }), {
    kind: 'netmoor',
    automatic: true,
    pool: { resolvConf: '/etc/resolv.conf' },
  });
  t.match(kind({ ipam: { subnet: '10.1.0.0/16' } }), { kind: 'netmoor', automatic: false });
  t.match(kind({ ipam: { type: '', ranges: RANGES } }), { kind: 'netmoor', automatic: false });
  t.match(kind({ ipam: { ranges: [] } }), { kind: 'netmoor', automatic: true });
  const extraRanges = [[{ subnet: '10.9.0.0/24' }]];
  t.match(kind({ runtimeConfig: { ipRanges: extraRanges } }), {
    kind: 'netmoor',
    automatic: false,
    extraRanges,
  });
  t.strictSame(
    kind({ ipam: { type: 'host-local', anything: [1], subnet: 5 } }),
    { kind: 'delegated', type: 'host-local' },
    'its keys are its own',
  );
});

t.test('unknown keys: key, value and the nearest known one', async (t) => {
  const cases: [object, string, string, string][] = [
    [{ isGatway: true }, 'isGatway', 'true', '"isGateway"'],
    [{ ipmasq: true }, 'ipmasq', 'true', '"ipMasq"'],
    [{ constructor: 1 }, 'constructor', '1', 'bridge'],
    [{ ipam: { rangestart: '10.0.0.1' } }, 'ipam.rangestart', '"10.0.0.1"', '"rangeStart"'],
    [
      { ipam: { ranges: [[{ subnet: '10.0.0.0/8', gatway: 'x' }]] } },
      'ipam.ranges[0][0].gatway',
      '"x"',
      '"gateway"',
    ],
    [{ ipam: { routes: [{ dst: '::/0', via: 'x' }] } }, 'ipam.routes[0].via', '"x"', 'dst, gw'],
    [{ ipam: { addresses: [] } }, 'ipam.addresses', '[]', 'subnet'],
    [{ vlanTrunk: [{ ID: 1 }] }, 'vlanTrunk[0].ID', '1', '"id"'],
    // Of absorbed plugins: what to do instead.
    [{ shapedSubnets: ['10.0.0.0/8'] }, 'shapedSubnets', '["10.0.0.0/8"]', '"bandwidth"'],
    [{ unshapedSubnets: [] }, 'unshapedSubnets', '[]', '"bandwidth"'],
    [{ dataDir: '/run/tuning' }, 'dataDir', '"/run/tuning"', 'take it out'],
  ];
  for (const [members, key, value, known] of cases) {
    const wanted = { kind: 'unsupported-field', message: naming(key, value), details: naming(known) };
    t.throws(() => read(members), wanted, key);
  }
});

t.test('wrong types, values and contradictions', async (t) => {
  const cases: [object, ...string[]][] = [
    [{ bridge: 5 }, 'bridge', '5'],
    [{ bridge: 'a/b' }, 'bridge', '"a/b"'],
    [{ bridge: 'name-that-is-too-long' }, 'bridge', '"name-that-is-too-long"', '15'],
    [{ isGateway: 'true' }, 'isGateway', '"true"'],
    [{ ipMasq: 1 }, 'ipMasq', '1'],
    [{ ipMasqBackend: 'pf' }, 'ipMasqBackend', '"pf"', '"iptables"', '"nftables"'],
    [{ mtu: '1500' }, 'mtu', '"1500"'],
    [{ mtu: 1500.5 }, 'mtu', '1500.5'],
    [{ mtu: -1 }, 'mtu', '-1'],
    [{ mtu: 70000 }, 'mtu', '65535', '70000'],
    [{ mtu: 40 }, 'mtu', '40', '68'],
    [{ vlan: 4095 }, 'vlan', '4094', '4095'],
    [{ vlanTrunk: [{ id: 0 }] }, 'vlanTrunk[0].id', '0'],
    [{ hairpinMode: true, promiscMode: true }, 'hairpinMode', 'promiscMode'],
    [{ disableContainerInterface: true, ipam: { ranges: RANGES } }, 'disableContainerInterface', 'ipam'],
    [{ disableContainerInterface: true, ipam: { type: 'host-local' } }, 'disableContainerInterface', 'ipam'],
    [{ ingressPolicy: 'isolate' }, 'ingressPolicy', '"isolate"', '"isolated"'],
    [{ ipam: { type: '../x' } }, 'ipam.type', '"../x"'],
    [{ ipam: { ranges: [[]] } }, 'ipam.ranges[0]'],
    [{ ipam: { ranges: [{ subnet: 'x' }] } }, 'ipam.ranges[0]', '{"subnet":"x"}'],
    [{ ipam: { ranges: [[{ rangeStart: '10.0.0.1' }]] } }, 'ipam.ranges[0][0].subnet'],
    [{ ipam: { rangeStart: '10.0.0.1' } }, 'ipam.rangeStart', 'ipam.subnet'],
    [{ ipam: { gateway: '10.0.0.1', ranges: RANGES } }, 'ipam.gateway', 'ipam.subnet'],
    [{ ipam: { reservations: { web: '10.0.0.1' } } }, 'ipam.reservations.web', '"10.0.0.1"'],
    // ajv tells where in JSON pointers, which know nothing of percent signs.
    [{ ipam: { reservations: { '50%/~': '10.0.0.1' } } }, 'ipam.reservations.50%/~', '"10.0.0.1"'],
    [{ dns: { nameservers: ['10.0.0.1', 'ns.example'] } }, 'dns.nameservers[1]', '"ns.example"'],
    [{ ipam: {}, cniVersion: '0.2.0' }, '0.2.0'],
    [{ ipam: {}, runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80 }] } }, 'ports'],
    [{ ipam: {}, runtimeConfig: { ips: ['10.0.0.1'] } }, 'addresses'],
    [{ runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 0 }] } }, 'containerPort', '0'],
  ];
  for (const [members, ...things] of cases) {
    const wanted = { kind: 'bad-config', message: naming(...things) };
    t.throws(() => read(members), wanted, JSON.stringify(members));
  }
});

t.test('every example is valid, and so is what it says to bridge-nat', async (t) => {
  const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.conflist'));
  t.ok(files.length >= 7);
  for (const file of files) {
    const list: unknown = JSON.parse(readFileSync(new URL(file, EXAMPLES), 'utf8'));
    t.ok(validate(list), `${file}: ${JSON.stringify(validate.errors)}`);
    const { cniVersion, name, plugins } = list as {
      cniVersion: string;
      name: string;
      plugins: { type: string; capabilities?: object }[];
    };
    if (plugins.some(({ type }) => type === 'macvlan-v6')) continue;
    const [own, ...others] = plugins.filter(({ type }) => type === 'bridge-nat');
    t.strictSame(others, [], file);
    const { capabilities: _, ...rest } = own ?? (t.fail(file) as never);
    const config = read({ cniVersion, name, ...rest });
    if (config.ipam.kind === 'netmoor' && !config.ipam.automatic)
      t.ok(parsePool(config.ipam.pool, []).sets.length > 0, file);
  }
});

t.test('a DHCP server', async (t) => {
  const ipam = { ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: 'fd00:1::/64' }]] };
  const server = (dhcpServer: unknown, more: object = {}) => read({ ipam, dhcpServer, ...more }).dhcpServer;
  const plain = { leaseSeconds: 3600, ipv4: undefined, ipv6: undefined, ports: [] };
  t.strictSame(server(true), plain);
  t.strictSame(server({}), plain);
  t.equal(server(false), undefined);
  t.strictSame(server({ leaseSeconds: 60, ipv6: false, ports: ['enp3s0'] }), {
    ...{ leaseSeconds: 60, ipv4: undefined, ipv6: false },
    ports: ['enp3s0'],
  });
  t.strictSame(read({ dhcpServer: { ipv6: true } }).dhcpServer?.ipv6, true, 'netmoor picks a /64, too');
  const refused = (dhcpServer: unknown, more: object, ...things: string[]): void => {
    t.throws(() => server(dhcpServer, more), {
      kind: 'bad-config',
      message: naming('dhcpServer', ...things),
    });
  };
  refused(true, { ipam: {} });
  refused(true, { ipam: { type: 'dhcp' } });
  refused(true, { isGateway: false }, 'isGateway');
  refused(true, { ingressPolicy: 'isolated' }, 'ingressPolicy');
  refused({ ipv4: false, ipv6: false }, {}, 'ipv4', 'ipv6');
  refused({ ipv4: true }, { ipam: { subnet: 'fd00:1::/64' } }, 'ipv4');
  refused({ ipv6: true }, { ipam: { ranges: [[{ subnet: 'fd00:1::/80' }]] } }, 'ipv6', '64');
  refused(true, { ipam: { subnet: 'fd00:1::/80' } });
  refused({ ports: ['a/b'] }, {}, 'ports');
  refused({ leaseSeconds: 1 }, {}, 'leaseSeconds');
  t.throws(() => server({ leaseTime: 60 }), { kind: 'unsupported-field', message: naming('leaseTime') });
});

const DNS = { dns: { nameservers: ['10.8.0.1'] } };

t.test('egress: names in order, or tor; what would leak, or lead nowhere, is refused', async (t) => {
  const [one, several] = [{ interface: 'tun0' }, { interface: ['wg0', 'tun*'], via: '192.0.2.1' }];
  t.strictSame(read({ ...DNS, egress: one }).egress, { interfaces: ['tun0'], via: [] });
  t.strictSame(read({ ...DNS, egress: several }).egress, { interfaces: ['wg0', 'tun*'], via: ['192.0.2.1'] });
  const tor = { transPort: 9040, dnsPort: 5353 };
  t.strictSame(read({ egress: { tor } }).egress, {
    interfaces: [],
    via: [],
    proxy: { ...tor, addresses: [] },
  });
  t.match(read({ ...DNS, egress: one }).isolation.hostAccess, { protocols: [1, 58], services: [] });
  t.equal(
    read({ ...DNS, egress: one, hostAccess: true }).isolation.hostAccess,
    undefined,
    'unless asked for',
  );
  const refused = (egress: unknown, more: object, ...things: string[]): void => {
    t.throws(() => read({ ...DNS, ...more, egress }), { message: naming(...things) });
  };
  refused({}, {}, 'interface', 'tor');
  refused({ ...one, tor }, {}, 'interface', 'tor');
  refused({ interface: '*' }, {}, 'real uplink');
  refused({ interface: 't*n' }, {}, 'end of a name');
  refused({ interface: 'a/b' }, {}, 'a/b');
  refused({ interface: '' }, {}, 'empty');
  refused({ interface: ['tun0', 'nm-net1'] }, {}, 'nm-net1', 'bridge');
  refused({ interface: 'br0' }, { bridge: 'br0' }, 'br0', 'bridge');
  refused({ ...one, via: 'router' }, {}, 'via');
  refused({ ...one, vai: '192.0.2.1' }, {}, 'vai');
  refused({ tor: { ...tor, address: '127.0.0.1' } }, {}, '127.0.0.1');
  refused({ tor: { transPort: 9040 } }, {}, 'dnsPort');
  refused(one, { dns: {} }, 'name servers');
  refused(one, { ipam: {} }, 'addresses');
  refused(one, { isGateway: false }, 'isGateway');
});

t.test('name servers of the host that containers do not reach are told', async (t) => {
  const gateways = ['10.1.0.1/16', 'fd01::1/64'].map(parsePrefix);
  const told = (members: object, ...nameservers: string[]): string[] =>
    notesOnNameServers({ nameservers }, gateways, read({ ...DNS, ...members }).isolation.hostAccess);
  const egress = { interface: 'tun0' };
  const notes = told({ egress }, '10.8.0.1', 'fd01:0::1', '10.1.0.1');
  t.match(notes, [naming('fd01:0::1'), naming('10.1.0.1')]);
  t.equal(notes.length, 2);
  t.strictSame(told({ egress }, '10.8.0.1', '10.1.0.10'), [], 'elsewhere');
  t.strictSame(told({ hostAccess: ['udp/50-60'] }, '10.1.0.1'), [], 'allowed');
  t.strictSame(told({}, '10.1.0.1'), [], 'everything is');
  t.equal(told({ hostAccess: ['tcp/53'] }, '10.1.0.1').length, 1, 'queries are UDP');
});

t.test('what is wrong with one of several shapes is told of the shape that was meant', async (t) => {
  const refused = (members: object, message: string, advice: string): void => {
    t.throws(() => read(members), { kind: 'bad-config', message, details: advice });
  };
  refused({ members: [{}] }, 'members[0].interface is missing', 'add it to members[0]');
  refused(
    { members: [{ interface: 'eth1', moveAddresses: 'yes' }] },
    'members[0].moveAddresses must be of type boolean, not "yes"',
    'write it as boolean, without quotes',
  );
  refused(
    { members: [7] },
    'members[0] must be of type string or object, not 7',
    'write it as string, in quotes',
  );
  refused(
    { hostAccess: 'icmp' },
    'hostAccess must be of type boolean or array, not "icmp"',
    'put it in brackets: ["icmp"]',
  );
  refused(
    { hostAccess: 'false' },
    'hostAccess must be of type boolean or array, not "false"',
    'write false, without quotes',
  );
  refused({ allowFrom: 'vpn' }, 'allowFrom must be of type array, not "vpn"', 'put it in brackets: ["vpn"]');
  refused(
    { ipam: 'host-local' },
    'ipam must be of type object, not "host-local"',
    'write it as object, in braces',
  );
});
