/** netmoor network migrate: the default networks of runtimes, key by key, and files that are none. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/cni/json.ts';
import { answer } from '../../cli/netmoor.ts';
import type { MigrationView } from '../../cli/verbs/network.ts';
import { absorb } from '../../cli/migrate/absorbed.ts';
import { unified } from '../../cli/migrate/unified.ts';
import { validate } from '../../schemas/compiled/cli-network.js';
import { validate as validError } from '../../schemas/compiled/cli-error.js';
import { shipped } from '../kernel/distributions.ts';
import { storeWorld } from './cli-fakes.ts';

const { world: bare, parent } = storeWorld();
const { files } = await import('../../lib/cni/files.ts');
const world = { ...bare, files };
const directory = mkdtempSync(join(tmpdir(), 'migrate-'));
t.teardown(() => {
  rmSync(parent, { recursive: true });
  rmSync(directory, { recursive: true });
});

let made = 0;

function fileOf(content: unknown, name = `${++made}.conflist`): string {
  const file = join(directory, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  return file;
}

async function run(...args: string[]): Promise<{ exitCode: number; json: unknown }> {
  const line = { args: [...args, '--json'], columns: undefined, environment: {} };
  const { exitCode, stdout } = await answer(line, world);
  return { exitCode, json: JSON.parse(stdout) };
}

async function migrated(content: unknown, ...args: string[]): Promise<MigrationView> {
  const file = typeof content === 'string' && existsSync(content) ? content : fileOf(content);
  const { exitCode, json } = await run('network', 'migrate', file, ...args);
  if (exitCode !== 0 || !validate(json)) throw new Error(JSON.stringify(json));
  return json as unknown as MigrationView;
}

/** What is said of it: its CNI code. */
async function refused(file: string, ...args: string[]): Promise<{ code: number; msg: string }> {
  const { exitCode, json } = await run('network', 'migrate', file, ...args);
  if (exitCode === 0 || !validError(json)) throw new Error(JSON.stringify(json));
  return json as unknown as { code: number; msg: string };
}

function told({ changes }: MigrationView, change: string): string[] {
  return changes
    .filter((each) => each.change === change)
    .map(({ plugin, key }) => (key === undefined ? plugin : `${plugin} ${key}`));
}

const HOST_LOCAL = {
  type: 'host-local',
  ranges: [[{ subnet: '10.88.0.0/16' }]],
  routes: [{ dst: '0.0.0.0/0' }],
};
const STORE = { ...HOST_LOCAL, type: 'netmoor' };
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const BRIDGE = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true };

function listOf(...plugins: object[]): object {
  return { cniVersion: '1.0.0', name: 'net', plugins };
}

function pluginsOf({ document }: MigrationView): readonly Record<string, unknown>[] {
  return document['plugins'] as unknown as Record<string, unknown>[];
}

/** As they are installed. */
const DEFAULTS: Readonly<Record<string, { list: Record<string, unknown>; becomes: object[] }>> = {
  'podman 87-podman-bridge': {
    list: shipped('podman-default'),
    becomes: [
      {
        type: 'bridge-nat',
        bridge: 'cni-podman0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'netmoor',
          routes: [{ dst: '0.0.0.0/0' }],
          ranges: [[{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }]],
        },
        capabilities: { portMappings: true },
      },
    ],
  },
  'containerd 10-containerd-net': {
    list: shipped('containerd-default'),
    becomes: [
      {
        ...BRIDGE,
        type: 'bridge-nat',
        promiscMode: true,
        ipam: {
          type: 'netmoor',
          ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: '2001:4860:4860::/64' }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        },
        capabilities: { portMappings: true },
      },
    ],
  },
  'CRI-O 10-crio-bridge': {
    list: shipped('crio-default'),
    becomes: [
      {
        ...BRIDGE,
        type: 'bridge-nat',
        hairpinMode: true,
        ipam: {
          type: 'netmoor',
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
          ranges: [[{ subnet: '10.85.0.0/16' }], [{ subnet: '1100:200::/24' }]],
        },
      },
    ],
  },
  'nerdctl nerdctl-bridge': {
    list: {
      ...shipped('nerdctl-default'),
      nerdctlID: '17f29b073143d8cd97b5bbe492bdeffec1c5fee55cc1fe2112c8b9335f8b6121',
      nerdctlLabels: { 'nerdctl/default-network': 'true' },
    },
    becomes: [
      {
        ...BRIDGE,
        type: 'bridge-nat',
        bridge: 'nerdctl0',
        hairpinMode: true,
        ipam: {
          ranges: [[{ gateway: '10.4.0.1', subnet: '10.4.0.0/24' }]],
          routes: [{ dst: '0.0.0.0/0' }],
          type: 'netmoor',
        },
        capabilities: { portMappings: true },
        ingressPolicy: 'same-bridge',
      },
    ],
  },
  'minikube 1-k8s': {
    list: shipped('minikube-default'),
    becomes: [
      {
        type: 'bridge-nat',
        bridge: 'bridge',
        isDefaultGateway: true,
        forceAddress: false,
        ipMasq: true,
        hairpinMode: true,
        ipam: { type: 'netmoor', subnet: '10.244.0.0/16' },
        capabilities: { portMappings: true },
      },
    ],
  },
};

t.test('the default networks of runtimes', async (t) => {
  for (const [name, { list, becomes }] of Object.entries(DEFAULTS)) {
    const view = await migrated(list);
    const { plugins, ...rest } = view.document;
    const { plugins: _before, ...same } = list;
    t.same(rest, same, `${name}: what is of the network stays`);
    const [first, ...more] = plugins as unknown as Record<string, unknown>[];
    // The reference passes addIf over; where our schema lists it, it may stay.
    const { addIf: _passedOver, ...main } = first ?? {};
    t.same([main, ...more], becomes, name);
    t.ok(told(view, 'meaning').length > 0);
    t.match(view.diff, /^-.*"type": "bridge"/m);
    t.same((await migrated(view.document)).changed, false, 'nothing is left to do');
  }
});

t.test("what is so by the reference's default is written out", async (t) => {
  const [main] = pluginsOf(await migrated(listOf({ type: 'bridge', ipam: HOST_LOCAL })));
  t.same(Object.entries(main ?? {}), [
    ['type', 'bridge-nat'],
    ['bridge', 'cni0'],
    ['isGateway', false],
    ['ipMasq', false],
    ['ipam', STORE],
  ]);
  const [bare] = pluginsOf(await migrated(listOf({ ...BRIDGE, ipam: { ...HOST_LOCAL, routes: undefined } })));
  t.match(bare, { ipam: { type: 'netmoor', routes: [] } }, 'no default route comes to be');
  const layer2 = { type: 'bridge', bridge: 'quay' };
  t.same(pluginsOf(await migrated(listOf(layer2))), [{ type: 'bridge-nat', bridge: 'quay', ipam: {} }]);
  t.same(pluginsOf(await migrated(listOf({ ...layer2, ipam: {} }))), [
    { type: 'bridge-nat', bridge: 'quay', ipam: {} },
  ]);
});

t.test('plugins whose keys are ours go in, others stay behind us', async (t) => {
  const rates = { ingressRate: 1000, ingressBurst: 8000, egressRate: 1000, egressBurst: 8000 };
  const view = await migrated(
    listOf(
      { ...BRIDGE, ipam: { ...HOST_LOCAL, dataDir: '/run/leases' }, capabilities: { ips: true } },
      { ...PORTMAP, _why: 'for the web' },
      { type: 'cilium-cni', 'enable-debug': true },
      { type: 'firewall', backend: 'iptables', INGRESSPOLICY: 'isolated' },
      { type: 'bandwidth', ...rates, capabilities: { bandwidth: true } },
      { type: 'tuning', mtu: 1400, sysctl: { 'kernel.shm_rmid_forced': '1' }, dataDir: '/run/cni/tuning' },
    ),
  );
  const [main, ...behind] = pluginsOf(view);
  t.match(main, {
    type: 'bridge-nat',
    ipam: STORE,
    capabilities: { ips: true, portMappings: true, bandwidth: true },
    ingressPolicy: 'isolated',
    _why: 'for the web',
    mtu: 1400,
    ...rates,
  });
  t.notOk(Object.hasOwn(main?.['ipam'] as object, 'dataDir'), "host-local's directory is not ours");
  t.same(behind, [
    { type: 'cilium-cni', 'enable-debug': true },
    { type: 'tuning', sysctl: { 'kernel.shm_rmid_forced': '1' } },
  ]);
  t.ok(told(view, 'dropped').includes('host-local ipam.dataDir'));
  t.ok(told(view, 'renamed').includes('firewall INGRESSPOLICY'));
});

t.test('what bridge-nat has no place for stays in its plugin', async (t) => {
  const portmap = { ...PORTMAP, conditionsX: ['a'] };
  const left = await migrated(
    listOf({ ...BRIDGE, ipam: HOST_LOCAL, capabilities: { portMappings: true } }, portmap),
  );
  const [main, ...behind] = pluginsOf(left);
  t.same(behind, [portmap], 'with all its keys');
  t.same(main?.['capabilities'], {}, 'and nobody else publishes');
  const tuned = await migrated(
    listOf({ ...BRIDGE, mtu: 1500, ipam: HOST_LOCAL }, { type: 'tuning', mtu: 1400 }),
  );
  t.same(pluginsOf(tuned)[1], { type: 'tuning', mtu: 1400 }, 'a key that ours has otherwise');
});

t.test('of what bridge-nat knows, each key finds its place', (t) => {
  const inner = new Map([['sbr', ['table', 'gateways', 'addSourceHints']]]);
  const names = ['snat', 'masqAll', 'conditionsV4', 'backend', 'sysctl', 'mac', 'promisc', 'mtu', 'sbr'];
  const known = new Map(names.map((name) => [name, inner.get(name) ?? []]));
  const become = (plugin: JsonObject, main: JsonObject = {}): unknown => {
    const { main: grown, left } = absorb(main, plugin, known, () => {});
    return left === undefined ? grown : [grown, left];
  };
  const filter = { conditionsV4: ['!', '-d', '192.0.2.0/24'], snat: false, backend: 'nftables' };
  t.same(become({ type: 'portmap', ...filter, masqAll: false }), filter);
  t.same(become({ type: 'portmap', snat: true }), {}, 'as it is anyway');
  t.same(become({ type: 'portmap', markMasqBit: 5 }), [{}, { type: 'portmap', markMasqBit: 5 }]);
  t.same(
    become({ type: 'tuning', sysctl: { 'net.core.somaxconn': '500', 'kernel.msgmax': '1' }, allmulti: true }),
    [
      { sysctl: { 'net.core.somaxconn': '500' } },
      { type: 'tuning', sysctl: { 'kernel.msgmax': '1' }, allmulti: true },
    ],
  );
  t.same(become({ type: 'tuning', mac: '02:00:00:00:00:01', promisc: true, mtu: 0 }), {
    mac: '02:00:00:00:00:01',
    promisc: true,
  });
  t.same(become({ type: 'sbr' }), { sbr: true });
  t.same(become({ type: 'sbr', table: 100, _: 'why' }), { _: 'why', sbr: { table: 100 } });
  t.same(become({ type: 'sbr', colour: 1 }), [{}, { type: 'sbr', colour: 1 }]);
  t.same(become({ type: 'constructor' }), [{}, { type: 'constructor' }]);
  t.end();
});

t.test('a file of one plugin, and macvlan', async (t) => {
  const single = { cniVersion: '0.2.0', name: 'old', ...BRIDGE, ipam: HOST_LOCAL };
  t.match((await migrated(single)).document, { name: 'old', type: 'bridge-nat', ipam: STORE });
  const macvlan = { type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp', daemonSocketPath: '/run/x' } };
  t.same(pluginsOf(await migrated(listOf(macvlan, { type: 'tuning', mtu: 1400 }))), [
    { type: 'macvlan-v6', addressing: 'none', master: 'eth0', ipam: { type: 'dhcp-ipam' } },
    { type: 'tuning', mtu: 1400 },
  ]);
  const pool = { type: 'host-local', ranges: [[{ subnet: '2001:db8::/64' }]] };
  t.same(pluginsOf(await migrated(listOf({ type: 'macvlan', ipam: pool }))), [
    { type: 'macvlan-v6', ipam: { ...pool, type: 'netmoor' } },
  ]);
});

t.test('refused: what is no network of the reference, or would be refused by ours', async (t) => {
  const code = async (content: unknown): Promise<number> => (await refused(fileOf(content))).code;
  t.equal(await code('not JSON'), 6);
  t.equal(await code('[]'), 6);
  t.equal(await code('{"name": "a", "plugins": [{"type": "bridge"}], "name": "b"}'), 6, 'which of the two?');
  t.equal(await code('{"name": "a", "plugins": [{"type": "bridge", "ty\\u0070e": "ptp"}]}'), 6);
  t.equal(await code('{"name": "a", "plugins": [{"type": "bridge", "__proto__": {"x": 1}}]}'), 6);
  t.equal(await code('{"name": "a", "plugins": [{"type": "bridge", "x": 18446744073709551615}]}'), 6);
  t.equal(await code(`{"name": "a", "plugins": ${'['.repeat(100)}${']'.repeat(100)}}`), 6);
  t.equal(await code(`{"name": "a", "_": "${'x'.repeat(2_000_000)}"}`), 6, 'huge');
  t.equal(await code({ name: 'a' }), 7);
  t.equal(await code(listOf({ type: 'ptp' })), 7);
  t.equal(await code(listOf(BRIDGE, { type: 'macvlan' })), 7);
  t.equal(await code(listOf({ ...BRIDGE, hairpinMode: true, promiscMode: true, ipam: HOST_LOCAL })), 7);
  t.equal(await code(listOf({ ...BRIDGE, ipam: { type: 'host-local', subnet: '10.1.0.1/33' } })), 7);
  t.equal(await code(listOf({ ...BRIDGE, ipam: HOST_LOCAL, colour: 'blue' })), 2, 'a key that nobody knows');
  t.equal((await refused(join(directory, 'missing'))).code, 5);
  t.equal((await refused(directory)).code, 5);
  t.equal((await run('network', 'migrate')).exitCode, 2);
  t.equal((await run('network', 'frobnicate', 'x')).exitCode, 2);
});

/** What each plugin has, each of the type that the reference takes. */
const TYPED: readonly (readonly [type: string, config: Record<string, unknown>])[] = [
  [
    'bridge',
    {
      ...{
        bridge: 'b0',
        isGateway: true,
        isDefaultGateway: true,
        forceAddress: true,
        ipMasq: true,
        mtu: 1400,
      },
      ...{ hairpinMode: true, promiscMode: true, vlan: 5, vlanTrunk: [], macspoofchk: true, enabledad: true },
      ...{ CAPABILITIES: { ips: true }, disableContainerInterface: false, portIsolation: true },
    },
  ],
  ['portmap', { snat: false, masqAll: true, conditionsV4: ['-s', '10.0.0.0/8'], backend: 'nftables' }],
  ['firewall', { backend: 'iptables', ingressPolicy: 'isolated', Capabilities: { x: true } }],
  ['bandwidth', { ingressRate: 8000, ingressBurst: 8000 }],
  ['tuning', { sysctl: { 'net.core.somaxconn': '5' }, mac: '02:00:00:00:00:01', mtu: 1400, dataDir: '/x' }],
  ['sbr', { table: 100, gateways: ['10.88.0.9'], addSourceHints: true }],
  [
    'ipam',
    {
      ...{ type: 'host-local', dataDir: '/x', ranges: [[{ subnet: '10.88.0.0/16' }]], resolvConf: '/x' },
      ...{
        routes: [{ dst: '0.0.0.0/0' }],
        subnet: '10.88.0.0/16',
        rangeStart: '10.88.0.3',
        gateway: '10.88.0.1',
      },
    },
  ],
  ['dhcp', { daemonSocketPath: '/x' }],
];

function withKey(type: string, key: string, value: unknown): object {
  const main = { ...BRIDGE, ipam: HOST_LOCAL };
  if (type === 'bridge') return listOf({ ...main, [key]: value }, PORTMAP);
  if (type === 'ipam') return listOf({ ...main, ipam: { ...HOST_LOCAL, [key]: value } });
  if (type === 'dhcp') return listOf({ ...main, ipam: { type, [key]: value } });
  return listOf(main, { type, [key]: value });
}

t.test('no key of another type than the reference takes is read for something else, or lost', async (t) => {
  const values = ['x', 7, true, [], [7], {}, { x: 7 }];
  const kindOf = (value: unknown): string => (Array.isArray(value) ? 'list' : typeof value);
  for (const [type, config] of TYPED)
    for (const [key, right] of Object.entries(config))
      for (const value of values.filter((each) => kindOf(each) !== kindOf(right))) {
        const file = fileOf(withKey(type, key, value));
        const { exitCode, json } = await run('network', 'migrate', file);
        const left = exitCode === 0 && JSON.stringify(json).includes(`"${key}":${JSON.stringify(value)}`);
        t.ok(
          left || [2, 7].includes((json as { code: number }).code),
          `${type} ${key} ${JSON.stringify(value)}`,
        );
      }
  for (const ipam of ['x', 7, true, []])
    t.equal((await refused(fileOf(listOf({ ...BRIDGE, ipam })))).code, 7, `ipam ${JSON.stringify(ipam)}`);
  t.match(pluginsOf(await migrated(listOf({ ...BRIDGE, ipam: null }))), [{ ipam: {} }], 'null is nothing');
});

t.test('--write replaces the file in one step, and keeps what it was', async (t) => {
  const list = listOf({ ...BRIDGE, ipam: HOST_LOCAL }, PORTMAP);
  const text = `${JSON.stringify(list, undefined, '\t')}\n`;
  const file = fileOf(text);
  t.equal((await migrated(file)).written, false);
  t.equal(readFileSync(file, 'utf8'), text, 'a dry run changes nothing');
  const view = await migrated(file, '--write');
  t.match(view, { written: true, backup: `${file}.before-netmoor` });
  t.equal(readFileSync(`${file}.before-netmoor`, 'utf8'), text);
  t.equal(
    readFileSync(file, 'utf8'),
    `${JSON.stringify(view.document, undefined, '\t')}\n`,
    'laid out as it was',
  );
  t.equal(statSync(file).mode & 0o777, statSync(`${file}.before-netmoor`).mode & 0o777);
  t.match(await migrated(file, '--write'), { changed: false, written: false });
  writeFileSync(file, text);
  t.equal((await refused(file, '--write')).code, 5, 'an earlier backup is not lost');
  t.equal(readFileSync(file, 'utf8'), text);
  const link = join(directory, 'link.conflist');
  symlinkSync(file, link);
  t.equal((await refused(link, '--write')).code, 5, 'nor is a link followed');
  const blocked = fileOf(text);
  mkdirSync(`${directory}/.${blocked.slice(directory.length + 1)}.netmoor-draft/x`, { recursive: true });
  t.equal((await refused(blocked, '--write')).code, 5, 'where nothing can be written');
  t.equal(readFileSync(blocked, 'utf8'), text);
});

t.test('two texts side by side, as diff -u', async (t) => {
  t.equal(unified('a\nb\n', 'a\nb\n', ['x', 'y']), '');
  const many = Array.from({ length: 20 }, (_, line) => `${line}`);
  const other = many.map((line) => (line === '2' || line === '15' ? `${line}!` : line));
  t.equal(
    unified(`${many.join('\n')}\n`, `${[...other, 'end'].join('\n')}\n`, ['x', 'y']),
    [
      '--- x',
      '+++ y',
      '@@ -1,6 +1,6 @@',
      ...[' 0', ' 1', '-2', '+2!', ' 3', ' 4', ' 5'],
      '@@ -13,8 +13,9 @@',
      ...[' 12', ' 13', ' 14', '-15', '+15!', ' 16', ' 17', ' 18', ' 19', '+end', ''],
    ].join('\n'),
  );
});
