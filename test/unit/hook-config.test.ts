/** Annotations and flags brought together: what is asked for, what is refused, and who may ask for what. */
import t from 'tap';
import { readHookConfig } from '../../hooks/oci/config.ts';
import type { HookConfig } from '../../hooks/oci/config.ts';
import { expandVariables, parseEnvFile } from '../../hooks/oci/env-file.ts';
import { parseFlags } from '../../hooks/oci/flags.ts';
import { naming } from '../naming.ts';

const flagged = (args: readonly string[], variables?: Record<string, string>): HookConfig =>
  readHookConfig({}, parseFlags(args), variables && new Map(Object.entries(variables)));

const annotated = (annotations: Record<string, string>, args: readonly string[] = []): HookConfig => {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`netmoor/${key}`, value]);
  return readHookConfig(Object.fromEntries(prefixed), parseFlags(args));
};

/** The other way to write $NAME. */
const braced = (name: string): string => ['$', '{', name, '}'].join('');

t.test('nothing asked for is the default network', async (t) => {
  const config = readHookConfig({ 'org.example/unrelated': 'x' }, parseFlags([]));
  t.match(config, {
    networks: [{ name: 'netmoor', ifname: 'eth0', ips: [], ports: [] }],
    files: [],
    dns: {},
  });
  t.equal(config.networks.length, 1);
});

t.test('annotations and flags say the same things', async (t) => {
  const annotations = {
    networks: 'front:lan0,back',
    ip: '10.1.0.5,fd00::5',
    mac: '02:00:5E:10:00:01',
    ports: '2222:22/tcp,53:53/udp',
    aliases: 'www',
    hostname: 'web.example.org',
    dns: '9.9.9.9 2620:fe::fe',
    'dns-search': 'example.org',
    'dns-options': 'ndots:2',
    files: 'resolv.conf,hosts',
    'result-file': 'net.json',
    'ip-file': '.ip',
  };
  const flags = Object.entries(annotations).flatMap(([key, value]) => [`--${key}`, value]);
  const config = annotated(annotations);
  t.strictSame(flagged(flags), config);
  t.match(config, {
    networks: [
      {
        name: 'front',
        ifname: 'lan0',
        ips: ['10.1.0.5', 'fd00::5'],
        mac: '02:00:5e:10:00:01',
        aliases: ['www'],
      },
      { name: 'back', ifname: 'eth0', ips: [], ports: [] },
    ],
    hostname: 'web.example.org',
    dns: { nameservers: ['9.9.9.9', '2620:fe::fe'], search: ['example.org'], options: ['ndots:2'] },
    files: ['resolv.conf', 'hosts'],
    resultFile: 'net.json',
    ipFile: '.ip',
  });
  t.equal(config.networks[0]?.ports.length, 2);
});

t.test('flags one at a time', async (t) => {
  const config = flagged([
    '--network',
    'a',
    '--network',
    'b',
    '--port',
    '80:80',
    '--port=81:81',
    '--ip',
    '10.0.0.2',
  ]);
  t.match(config.networks, [
    { name: 'a', ips: ['10.0.0.2'], ports: [{ hostPort: 80 }, { hostPort: 81 }] },
    { name: 'b' },
  ]);
});

t.test('the annotation counts before the flag', async (t) => {
  t.match(annotated({ ip: '10.0.0.3' }, ['--ip', '10.0.0.2', '--network', 'a']).networks, [
    { name: 'a', ips: ['10.0.0.3'] },
  ]);
});

t.test('variables, from the file alone', async (t) => {
  const config = flagged(['--network', '$VPS_NET', '--ip', braced('VPS_IP'), '--hostname', 'vps-$N'], {
    VPS_NET: 'vps',
    VPS_IP: '172.18.0.11',
    N: '1',
  });
  t.match(config, { networks: [{ name: 'vps', ips: ['172.18.0.11'] }], hostname: 'vps-1' });
  t.match(flagged(['--ip', '$NONE'], { NONE: '' }).networks, [{ ips: [] }], 'an empty one asks for nothing');
  t.throws(() => flagged(['--ip', '$PATH']), {
    kind: 'bad-config',
    message: naming('--ip', 'PATH'),
    details: naming('--env-file'),
  });
  t.throws(() => flagged(['--ip', '$VPS_IQ'], {}), {
    kind: 'bad-config',
    message: naming('--ip', 'VPS_IQ'),
  });
  t.throws(
    () => annotated({ ip: '$VPS_IP' }),
    { kind: 'bad-config', message: naming('"$VPS_IP"') },
    'annotations have no variables',
  );
});

t.test('environment files as systemd reads them', async (t) => {
  const text =
    '# comment\n; too\n\nA=1\n B = two words \nC="a \\"b\\" $d"\nD=\'$x\'\nE=\nF=long\\\nline\r\nA=2\n';
  t.strictSame(
    [...parseEnvFile(text, 'f')],
    [
      ['A', '2'],
      ['B', 'two words'],
      ['C', 'a "b" $d'],
      ['D', '$x'],
      ['E', ''],
      ['F', 'longline'],
    ],
  );
  for (const line of ['A', '=1', '1A=2', 'export A=1', 'A="open'])
    t.throws(
      () => parseEnvFile(`X=1\n${line}`, 'f'),
      { kind: 'bad-config', message: naming('f line 2') },
      line,
    );
});

t.test('expansion', async (t) => {
  const variables = new Map([
    ['A', 'x'],
    ['B', '$A'],
  ]);
  const expand = (text: string): string => expandVariables(text, variables, '--ip');
  t.equal(expand(`$A/${braced('A')}$$A`), 'x/x$A');
  t.equal(expand('$B'), '$A', 'what a variable holds is not expanded again');
  for (const text of ['$', 'a$-b', braced('').slice(0, -1), braced('A').slice(0, -1), '$1'])
    t.throws(() => expand(text), { kind: 'bad-config', message: naming('--ip', `"${text}"`) }, text);
});

t.test('hostile and mistaken annotations', async (t) => {
  const cases: [Record<string, string>, ...string[]][] = [
    [{ networsk: 'a' }, '"netmoor/networsk"'],
    [{ 'conf-dir': '/tmp' }, '"netmoor/conf-dir"'],
    [{ 'cni-path': '/tmp' }, '"netmoor/cni-path"'],
    [{ 'env-file': '/etc/shadow' }, '"netmoor/env-file"'],
    [{ log: '/etc/passwd' }, '"netmoor/log"'],
    [{ networks: '../../../etc/passwd' }, 'networks', '"../../../etc/passwd"'],
    [{ networks: 'a\u0000b' }, 'networks'],
    [{ networks: `a${'b'.repeat(9000)}` }, 'networks', '8192'],
    [{ networks: 'a:eth0,b:eth0' }, 'networks', '"eth0"'],
    [{ ip: '10.0.0.1;rm -rf /' }, 'ip', '"10.0.0.1;rm"'],
    [{ mac: 'ff:ff:ff:ff:ff:ff' }, 'mac', 'ff:ff:ff:ff:ff:ff'],
    [
      { mac: '02:00:00:00:00:01', networks: 'a:mac=02:00:00:00:00:02' },
      '02:00:00:00:00:01',
      '02:00:00:00:00:02',
    ],
    [{ ports: '22:22,22:23' }, 'ports', 'tcp 22'],
    [{ hostname: 'localhost' }, 'hostname', '"localhost"'],
    [{ hostname: 'a.localhost' }, 'hostname', '"a.localhost"'],
    [{ hostname: '10.0.0.1' }, 'hostname', '"10.0.0.1"'],
    [{ hostname: 'a b' }, 'hostname', '"a b"'],
    [{ hostname: 'a\nb' }, 'hostname', '"a\\nb"'],
    [{ hostname: '-a' }, 'hostname', '"-a"'],
    [{ hostname: 'a'.repeat(64) }, 'hostname', `"${'a'.repeat(64)}"`],
    [{ dns: 'dns.example.org' }, 'dns', '"dns.example.org"'],
    [{ 'dns-search': 'a\u007fb' }, 'dns-search'],
    [{ files: 'passwd' }, 'files', '"passwd"'],
    [{ files: '../passwd' }, 'files', '"../passwd"'],
    [{ 'result-file': '/etc/passwd' }, 'result-file', '"/etc/passwd"'],
    [{ 'result-file': '../x' }, 'result-file', '"../x"'],
    [{ 'ip-file': 'a/../../x' }, 'ip-file', '"a/../../x"'],
    [{ 'ip-file': 'a/' }, 'ip-file', '"a/"'],
    [{ 'ip-file': '..' }, 'ip-file', '".."'],
  ];
  for (const [annotations, ...things] of cases)
    t.throws(
      () => annotated(annotations),
      { kind: 'bad-config', message: naming(...things) },
      JSON.stringify(annotations).slice(0, 60),
    );
  t.equal(
    flagged(['--result-file', '/run/x.json']).resultFile,
    '/run/x.json',
    'a flag may lead out of the bundle',
  );
});

t.test('flags', async (t) => {
  t.match(
    parseFlags([
      'poststop',
      '--state-dir',
      '/s',
      '--conf-dir',
      '/a',
      '--conf-dir',
      '/b',
      '--cni-path',
      '/x:/y',
      '--log',
      '/l',
    ]),
    {
      stage: 'poststop',
      stateDir: '/s',
      confDirs: ['/a', '/b'],
      cniPath: ['/x', '/y'],
      log: '/l',
    },
  );
  t.throws(() => parseFlags(['--netwrok', 'a']), {
    kind: 'bad-config',
    message: naming('"--netwrok"'),
    details: naming('--network'),
  });
  t.throws(() => parseFlags(['-x']), { kind: 'bad-config', message: naming('"-x"') });
  t.throws(() => parseFlags(['attach', 'detach']), {
    kind: 'bad-config',
    message: naming('"attach"', '"detach"'),
  });
  t.throws(() => parseFlags(['--log', 'a', '--log', 'b']), { kind: 'bad-config', message: naming('--log') });
  t.match(
    parseFlags(['--ip', '10', '--hostname', '007']).options,
    { ip: '10', hostname: '007' },
    'numbers stay texts',
  );
});
