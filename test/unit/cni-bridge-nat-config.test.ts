/** bridge-nat's configuration: defaults, the reference's meanings, contradictions, unknown keys, and every example. */
import t from 'tap';
import { readFileSync, readdirSync } from 'node:fs';
import { formatAddress } from '../../lib/base/ip.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { parsePool } from '../../ipam/pool.ts';
import { validate } from '../../schemas/compiled/conflist.js';
import { environmentOf } from './cni-fakes.ts';

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
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    keepBridge: false,
    ingressPolicy: 'open',
    ipam: { kind: 'netmoor', automatic: true, pool: {}, extraRanges: [] },
    mac: undefined,
    requestedAddresses: [],
    containerName: undefined,
    portMappings: [],
    bandwidth: undefined,
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
  ];
  for (const [members, expected] of cases) t.match(read(members), expected, JSON.stringify(members));
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
  const cases: [object, RegExp, RegExp][] = [
    [{ isGatway: true }, /^unknown key isGatway: true$/, /did you mean "isGateway"/],
    [{ ipmasq: true }, /ipmasq: true/, /did you mean "ipMasq"/],
    [{ conditionsV4: ['-s', '1'] }, /conditionsV4: \["-s","1"\]/, /known keys here: .*bridge/],
    [{ constructor: 1 }, /constructor: 1/, /known keys/],
    [{ ipam: { rangestart: '10.0.0.1' } }, /ipam\.rangestart: "10\.0\.0\.1"/, /did you mean "rangeStart"/],
    [
      { ipam: { ranges: [[{ subnet: '10.0.0.0/8', gatway: 'x' }]] } },
      /ipam\.ranges\[0\]\[0\]\.gatway: "x"/,
      /did you mean "gateway"/,
    ],
    [
      { ipam: { routes: [{ dst: '::/0', via: 'x' }] } },
      /ipam\.routes\[0\]\.via: "x"/,
      /known keys here: dst, gw/,
    ],
    [{ ipam: { addresses: [] } }, /ipam\.addresses: \[\]/, /known keys/],
    [{ vlanTrunk: [{ ID: 1 }] }, /vlanTrunk\[0\]\.ID: 1/, /did you mean "id"/],
    [{ vlan: 100 }, /^vlan: 100 is not supported/, /a bridge of its own/],
    [{ vlanTrunk: [{ id: 5 }] }, /^vlanTrunk: .* is not supported/, /a bridge of its own/],
  ];
  for (const [members, message, details] of cases)
    t.throws(() => read(members), { kind: 'unsupported-field', message, details });
});

t.test('wrong types, values and contradictions', async (t) => {
  const cases: [object, RegExp][] = [
    [{ bridge: 5 }, /^bridge must be of type string/],
    [{ bridge: 'a/b' }, /^bridge: /],
    [{ bridge: 'name-that-is-too-long' }, /^bridge: .*longer/],
    [{ isGateway: 'true' }, /^isGateway must be of type boolean, not "true"/],
    [{ ipMasq: 1 }, /^ipMasq must be/],
    [{ ipMasqBackend: 'pf' }, /^ipMasqBackend must be one of "iptables", "nftables"/],
    [{ mtu: '1500' }, /^mtu must be of type integer/],
    [{ mtu: 1500.5 }, /^mtu must be of type integer/],
    [{ mtu: -1 }, /^mtu must be >= 0/],
    [{ mtu: 70000 }, /^mtu must be <= 65535/],
    [{ mtu: 40 }, /^mtu 40 is below 68/],
    [{ vlan: 4095 }, /^vlan must be <= 4094/],
    [{ vlanTrunk: [{ id: 0 }] }, /vlanTrunk\[0\]\.id must be >= 1/],
    [{ hairpinMode: true, promiscMode: true }, /hairpinMode and promiscMode/],
    [
      { disableContainerInterface: true, ipam: { ranges: RANGES } },
      /disableContainerInterface excludes ipam/,
    ],
    [
      { disableContainerInterface: true, ipam: { type: 'host-local' } },
      /disableContainerInterface excludes ipam/,
    ],
    [{ ingressPolicy: 'isolate' }, /ingressPolicy must be one of/],
    [{ ipam: { type: '../x' } }, /^ipam\.type: /],
    [{ ipam: { ranges: [[]] } }, /ipam\.ranges\[0\]/],
    [{ ipam: { ranges: [{ subnet: 'x' }] } }, /ipam\.ranges\[0\] must be of type array/],
    [{ ipam: { ranges: [[{ rangeStart: '10.0.0.1' }]] } }, /ipam\.ranges\[0\]\[0\]\.subnet is missing/],
    [{ ipam: { rangeStart: '10.0.0.1' } }, /ipam\.rangeStart is given without ipam\.subnet/],
    [{ ipam: { gateway: '10.0.0.1', ranges: RANGES } }, /ipam\.gateway is given without/],
    [{ ipam: { reservations: { web: '10.0.0.1' } } }, /ipam\.reservations\.web must be of type array/],
    [{ dns: { nameservers: ['10.0.0.1', 'ns.example'] } }, /dns\.nameservers\[1\]: .*ns\.example/],
    [{ ipam: {}, cniVersion: '0.2.0' }, /0\.2\.0 cannot express/],
    [
      { ipam: {}, runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80 }] } },
      /ports are to be published/,
    ],
    [{ ipam: {}, runtimeConfig: { ips: ['10.0.0.1'] } }, /addresses are requested/],
    [{ runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 0 }] } }, /containerPort is 0/],
  ];
  for (const [members, message] of cases)
    t.throws(() => read(members), { kind: 'bad-config', message }, JSON.stringify(members));
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
    const [own, ...others] = plugins.filter(({ type }) => type === 'bridge-nat');
    t.strictSame(others, [], file);
    const { capabilities: _, ...rest } = own ?? (t.fail(file) as never);
    const config = read({ cniVersion, name, ...rest });
    if (config.ipam.kind === 'netmoor' && !config.ipam.automatic)
      t.ok(parsePool(config.ipam.pool, []).sets.length > 0, file);
  }
});
