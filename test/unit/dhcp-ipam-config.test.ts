/** dhcp-ipam's configuration: defaults, every key, what contradicts itself, unknown keys, and every example. */
import { readFileSync, readdirSync } from 'node:fs';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { readDhcpConfig } from '../../plugins/dhcp-ipam/config.ts';
import type { DhcpConfig } from '../../plugins/dhcp-ipam/config.ts';
import { environmentOf } from './cni-fakes.ts';
import { naming } from '../naming.ts';

interface Given {
  readonly args?: string;
  /** Beside "ipam". */
  readonly plugin?: object;
}

function read(ipam: object, { args = '', plugin = {} }: Given = {}): DhcpConfig {
  const document = { cniVersion: '1.0.0', name: 'lan', type: 'bridge-nat', ...plugin };
  const stdin = Buffer.from(JSON.stringify({ ...document, ipam: { type: 'dhcp-ipam', ...ipam } }));
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf('ADD', { CNI_ARGS: args })), stdin };
  return readDhcpConfig(readConfig(raw, configVersion(raw), 'ADD'), request);
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

t.test('nothing but the type', async (t) => {
  t.strictSame(read({}), {
    v4: { checkAddress: false },
    v6: undefined,
    clientId: undefined,
    priority: undefined,
    timeout: 20_000,
    segment: undefined,
  });
});

t.test('families', async (t) => {
  t.strictSame(read({ ip: 6 }).v4, undefined);
  const v6 = { addresses: true, prefixes: 0, stateless: false, rapidCommit: true };
  t.strictSame(read({ ip: 6 }).v6, { ...v6, request: [23, 24], provide: {}, patient: false });
  t.match(read({ ip: 'both' }), { v4: {}, v6 });
  t.match(read({ ip: 6, prefixDelegation: true }).v6, { prefixes: 1 });
  t.match(read({ ip: 6, prefixDelegation: 56 }).v6, { prefixes: ['::/56'] });
  t.match(read({ ip: 6, prefixDelegation: false }).v6, { prefixes: 0 });
  t.match(read({ ip: 6, stateless: true }).v6, { addresses: false, stateless: true });
  t.match(read({ ip: 6, rapidCommit: false }).v6, { rapidCommit: false });
});

t.test('the other keys', async (t) => {
  const config = read(
    { priority: 0, timeout: 2.5, checkAddress: true, _why: 'a comment' },
    { plugin: { bridge: 'br-lan' } },
  );
  t.match(config, {
    v4: { checkAddress: true },
    priority: 0,
    timeout: 2500,
    segment: 'br-lan',
  });
  t.equal(read({}, { plugin: { type: 'macvlan', master: 'eth7' } }).segment, 'eth7');
});

t.test('the name that servers are told', async (t) => {
  const args = 'K8S_POD_NAME=web-0';
  t.match(read({ ip: 'both' }, { args }), { v4: { hostname: 'web-0' }, v6: { fqdn: 'web-0' } });
  t.match(read({ hostname: 'db.example' }, { args }), { v4: { hostname: 'db.example' } });
  t.equal(read({ hostname: '' }, { args }).v4?.hostname, undefined, 'none wanted');
  t.equal(read({}, { args: 'K8S_POD_NAME=no_name' }).v4?.hostname, undefined, 'the container has none');
  const provide = [{ option: 'host-name', value: 'own' }];
  t.match(read({ provide }, { args }).v4, { hostname: undefined, provide: { 12: hex('own') } });
});

t.test('what is asked for, by name or number', async (t) => {
  const request = [{ option: 'ntp-servers' }, { option: 66 }, { option: '67' }, {}];
  t.strictSame(read({ request }).v4, { request: [42, 66, 67], checkAddress: false });
  t.match(read({ request: [{ skipDefault: true }, { option: 'routers' }] }).v4, {
    request: [3],
    replaceDefaults: true,
  });
  t.equal(read({ request: [{ skipDefault: false }] }).v4?.replaceDefaults, undefined);
});

const PROVIDED: [option: string | number, value: string, bytes: string][] = [
  ['vendor-class-identifier', 'container', hex('container')],
  [60, 'container', hex('container')],
  ['60', '0x00ff', '00ff'],
  ['ntp-servers', '192.0.2.1', 'c0000201'],
  ['ntp-servers', '192.0.2.1, 192.0.2.2', 'c0000201c0000202'],
  ['interface-mtu', '1400', '0578'],
  ['user-class', 'anything', hex('anything')],
  [224, 'site', hex('site')],
  ['domain-search', 'a.example', '0161076578616d706c6500'],
  ['ip-forwarding', '1', '01'],
];

for (const [option, value, bytes] of PROVIDED) {
  t.test(`option ${option} of ${value}`, async (t) => {
    const [sent] = Object.values(read({ provide: [{ option, value }] }).v4?.provide ?? {});
    t.equal(sent, bytes);
  });
}

t.test('values of CNI_ARGS', async (t) => {
  const provide = [{ option: 'host-name', fromArg: 'K8S_POD_NAMESPACE' }];
  const { v4 } = read({ provide }, { args: 'K8S_POD_NAMESPACE=kube' });
  t.strictSame(v4?.provide, { 12: hex('kube') });
  t.equal(read({ provide }).v4?.provide, undefined, 'what the runtime does not give is not sent');
});

t.test('a client identifier', async (t) => {
  const id = (value: string) => read({ provide: [{ option: 'dhcp-client-identifier', value }] });
  t.equal(id('me').clientId, `00${hex('me')}`, 'as the reference');
  t.equal(id('0x01020000000001').clientId, '01020000000001');
  t.equal(id('me').v4?.provide, undefined, 'it is not sent twice');
});

const REFUSED: [name: string, ipam: object, kind: string, words: string[]][] = [
  ['an unknown key', { prefixDelegaton: true }, 'unsupported-field', ['prefixDelegaton', 'prefixDelegation']],
  ['a key unlike all', { colour: 'blue' }, 'unsupported-field', ['colour']],
  ['an unknown key inside', { provide: [{ option: 12, from: 'X' }] }, 'unsupported-field', ['from']],
  ['another family', { ip: 5 }, 'bad-config', ['ip']],
  ['an option without a name', { provide: [{ value: 'x' }] }, 'bad-config', ['option']],
  ['an unknown option', { request: [{ option: 'ntp' }] }, 'bad-config', ['ntp']],
  ['a number that is none', { request: [{ option: 256 }] }, 'bad-config', ['256']],
  ['an option of the protocol', { provide: [{ option: 53, value: '1' }] }, 'bad-config', ['53']],
  ['two values', { provide: [{ option: 12, value: 'a', fromArg: 'B' }] }, 'bad-config', ['fromArg']],
  [
    'no address',
    { provide: [{ option: 'ntp-servers', value: 'pool' }] },
    'bad-config',
    ['ntp-servers', 'pool'],
  ],
  ['no MTU', { provide: [{ option: 'interface-mtu', value: '70000' }] }, 'bad-config', ['70000']],
  ['no number', { provide: [{ option: 'ip-forwarding', value: 'yes' }] }, 'bad-config', ['yes']],
  ['no host name', { hostname: 'a b' }, 'bad-config', ['a b']],
  ['no time', { timeout: 0 }, 'bad-config', ['timeout']],
  ['too much time', { timeout: 201 }, 'bad-config', ['timeout']],
  ['a metric below 0', { priority: -1 }, 'bad-config', ['priority']],
  ['text for yes', { checkAddress: 'true' }, 'bad-config', ['checkAddress']],
  ['a prefix of no length', { ip: 6, prefixDelegation: 129 }, 'bad-config', ['prefixDelegation']],
  ['a prefix by DHCPv4', { prefixDelegation: true }, 'bad-config', ['prefixDelegation']],
  ['stateless DHCPv4', { ip: 4, stateless: true }, 'bad-config', ['stateless']],
  ['a stateless lease', { ip: 6, stateless: true, prefixDelegation: 56 }, 'bad-config', ['stateless']],
  ['options by DHCPv6', { ip: 6, request: [{ option: 42 }] }, 'bad-config', ['request']],
  ['a probe by DHCPv6', { ip: 6, checkAddress: true }, 'bad-config', ['checkAddress']],
];

function refusal(ipam: object): NetmoorError | undefined {
  try {
    read(ipam);
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  return undefined;
}

for (const [name, ipam, kind, words] of REFUSED) {
  t.test(name, async (t) => {
    const error = refusal(ipam);
    t.equal(error?.kind, kind);
    t.match(`${error?.message}\n${error?.details}`, naming(...words));
  });
}

t.test('every example', async (t) => {
  const EXAMPLES = new URL('../../schemas/examples/', import.meta.url);
  let found = 0;
  for (const file of readdirSync(EXAMPLES)) {
    const { plugins } = JSON.parse(readFileSync(new URL(file, EXAMPLES), 'utf8')) as {
      plugins: { ipam?: { type?: string } }[];
    };
    for (const { ipam = {}, ...plugin } of plugins.filter((each) => each.ipam?.type === 'dhcp-ipam')) {
      t.ok(read(ipam, { plugin }).segment, file);
      found++;
    }
  }
  t.equal(found, 2);
});
