/** The hook from stdin to exit code, with pretended plugins: what is called, what is left alone, what is said. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { CODE_OF_KIND } from '../../lib/cni/errors.ts';
import { fakePlugin, OWN_ID, RESULT } from './cni-fakes.ts';
import { OCI_CONFIG, PID, setScene } from './hook-fakes.ts';
import { naming } from '../naming.ts';

const STOPPED = { status: 'stopped', pid: undefined };

const calls = (scene: ReturnType<typeof setScene>): string[] => [...scene.plugin.calls];

t.test('attach and detach', async (t) => {
  const scene = setScene(t, ['front', 'back']);
  const annotations = {
    'netmoor/networks': 'front,back',
    'netmoor/hostname': 'web',
    'netmoor/result-file': 'net.json',
  };
  t.strictSame(await scene.call([], { annotations }), { exitCode: 0, stderr: '' });
  t.strictSame(calls(scene), ['ADD front', 'ADD back']);
  const [front, back] = scene.plugin.contexts;
  t.match(front?.request, { containerId: 'c1', ifname: 'eth0', netns: `/proc/${PID}/ns/net` });
  t.equal(front?.request.args.get('K8S_POD_NAME'), 'web');
  t.equal(back?.request.ifname, 'eth1');
  t.match(JSON.parse(scene.read('bundle/net.json')), {
    networks: [{ network: 'front' }, { network: 'back' }],
  });
  t.match(scene.read('run/hosts'), /^10\.1\.0\.2\tweb c1\t# front-c1-eth0$/m);

  t.strictSame(await scene.call([], { ...STOPPED, annotations }), { exitCode: 0, stderr: '' });
  t.strictSame(calls(scene).slice(2), ['DEL back', 'DEL front'], 'last one first');
  t.notOk(existsSync(join(scene.bundle, 'net.json')));
  t.notMatch(scene.read('run/hosts'), /c1/);
  t.strictSame(readdirSync(join(scene.root, 'results')), []);
  t.match(scene.log, [
    naming('info', 'c1', 'front', 'eth0', 'back', 'eth1', '10.1.0.2'),
    naming('info', 'c1', 'front', 'eth0', 'back', 'eth1'),
  ]);
});

t.test('detaching does not need the bundle, the annotations or the flags', async (t) => {
  const scene = setScene(t, ['front']);
  await scene.call(['--networks', 'front']);
  t.strictSame(await scene.call([], { ...STOPPED, bundle: '/nowhere', pid: 0 }), { exitCode: 0, stderr: '' });
  t.strictSame(calls(scene), ['ADD front', 'DEL front']);
  t.strictSame(
    await scene.call([], { ...STOPPED, bundle: '/nowhere' }),
    { exitCode: 0, stderr: '' },
    'again',
  );
  t.strictSame(calls(scene).length, 2);
});

t.test('called twice it attaches once; what is missing it adds', async (t) => {
  const scene = setScene(t, ['front', 'back']);
  await scene.call(['--networks', 'front']);
  await scene.call(['createRuntime', '--networks', 'front'], { status: 'created' });
  t.strictSame(calls(scene), ['ADD front']);
  t.match(scene.log[1], naming('info', 'c1'));
  await scene.call(['--networks', 'front,back']);
  t.strictSame(calls(scene), ['ADD front', 'ADD back']);
});

t.test('another container of the same id takes the place of one that was never detached', async (t) => {
  for (const change of [{ started: '2000' }, { netnsId: '4:3000' }]) {
    const scene = setScene(t, ['front']);
    await scene.call(['--networks', 'front']);
    Object.assign(scene.process, change);
    t.equal((await scene.call(['--networks', 'front'])).exitCode, 0);
    t.strictSame(calls(scene), ['ADD front', 'DEL front', 'ADD front']);
    t.equal(scene.plugin.contexts[1]?.request.netns, '', 'the namespace of now is none of the old one');
  }
});

t.test('refused with nothing touched', async (t) => {
  const hostNetwork = { ...OCI_CONFIG, linux: { namespaces: [{ type: 'mount' }] } };
  const cases: [string, (scene: ReturnType<typeof setScene>) => void, ErrorKind, ...string[]][] = [
    [
      'no network namespace',
      (scene) => scene.write('bundle/config.json', JSON.stringify(hostNetwork)),
      'own-netns',
    ],
    [
      "the host's network namespace",
      (scene) => void Object.assign(scene.process, { netnsId: OWN_ID }),
      'own-netns',
    ],
    [
      'a process that is gone',
      (scene) => void Object.assign(scene.process, { started: undefined }),
      'bad-netns',
      String(PID),
    ],
    [
      'a broken config.json',
      (scene) => scene.write('bundle/config.json', '{"linux":'),
      'bad-json',
      'config.json',
    ],
    [
      'a config.json of other shape',
      (scene) => scene.write('bundle/config.json', '{"linux":{"namespaces":[1]}}'),
      'bad-config',
      'linux.namespaces[0]',
    ],
  ];
  for (const [name, change, kind, ...things] of cases) {
    const scene = setScene(t, ['front']);
    change(scene);
    const { exitCode, stderr, error } = await scene.call(['--networks', 'front']);
    t.equal(exitCode, 1, name);
    t.equal(error?.kind, kind, name);
    t.match(stderr, naming(...things), name);
    t.match(stderr, /^netmoor-hook: error \d+: [^\n]+\n$/, 'one line');
    t.match(scene.log, [naming('error', 'c1', `error ${CODE_OF_KIND[kind]}:`, ...things)]);
    t.strictSame(calls(scene), []);
    t.notOk(existsSync(join(scene.root, 'results')));
    t.notOk(existsSync(join(scene.root, 'run')));
  }
});

t.test('a number that another process has by now is refused', async (t) => {
  const scene = setScene(t, ['front']);
  let looks = 0;
  const world = { ...scene.world, processIdentity: (pid: number) => ({ pid, started: `${looks++}` }) };
  const { findSandbox } = await import('../../hooks/oci/sandbox.ts');
  t.throws(() => findSandbox(PID, world), { kind: 'bad-netns', message: naming(String(PID)) });
  t.strictSame(calls(scene), []);
});

t.test('a container that ends meanwhile', async (t) => {
  const plugin = fakePlugin(() => {
    scene.process.started = undefined;
    return RESULT;
  });
  const scene = setScene(t, ['front'], plugin);
  const { exitCode, error } = await scene.call(['--networks', 'front', '--result-file', 'net.json']);
  t.equal(exitCode, 1);
  t.match(error, { kind: 'bad-netns', message: naming(String(PID)) });
  t.strictSame(calls(scene), ['ADD front', 'DEL front']);
  t.notMatch(scene.read('run/hosts'), /c1/);
  t.strictSame(readdirSync(scene.bundle).sort(), ['config.json', 'rootfs']);
});

t.test('a bundle without config.json', async (t) => {
  const scene = setScene(t, ['front']);
  t.equal((await scene.call(['--networks', 'front'], { bundle: scene.root })).exitCode, 0);
  const { error } = await scene.call(['--networks', 'front', '--files', 'hosts'], {
    bundle: scene.root,
    id: 'c2',
  });
  t.match(error, { kind: 'bad-config', message: naming(scene.root, 'config.json') });
  t.strictSame(calls(scene), ['ADD front', 'ADD front', 'DEL front']);
});

t.test('a failure takes everything back', async (t) => {
  const failing = fakePlugin(({ config }) => {
    if (config.name === 'back') throw new NetmoorError('port-taken', 'port 80 is taken', 'choose another');
    return RESULT;
  });
  const scene = setScene(t, ['front', 'back'], failing);
  const { exitCode, stderr, error } = await scene.call(['--networks', 'front,back']);
  t.equal(exitCode, 1);
  t.equal(error?.kind, 'port-taken');
  t.match(stderr, naming('port 80 is taken', 'choose another'), "the plugin's words are handed on");
  t.strictSame(calls(scene), ['ADD front', 'ADD back', 'DEL back', 'DEL front']);
  t.strictSame(readdirSync(join(scene.root, 'results')), []);
});

t.test('so does a file that cannot be written', async (t) => {
  const scene = setScene(t, ['front']);
  writeFileSync(join(scene.bundle, 'taken'), 'something else');
  const { exitCode, error } = await scene.call([
    '--networks',
    'front',
    '--result-file',
    'taken',
    '--ip-file',
    '.ip',
  ]);
  t.equal(exitCode, 1);
  t.match(error, { kind: 'io', message: naming('"taken"') });
  t.strictSame(calls(scene), ['ADD front', 'DEL front']);
  t.strictSame(readdirSync(scene.bundle).sort(), ['config.json', 'rootfs', 'taken']);
  t.notMatch(scene.read('run/hosts'), /c1/);
});

t.test('a failure at poststop is told, and is no failure', async (t) => {
  const stubborn = {
    ...fakePlugin(),
    del: () => {
      throw new NetmoorError('kernel', 'device busy', 'wait');
    },
  };
  const scene = setScene(t, ['front'], stubborn);
  await scene.call(['--networks', 'front']);
  const { exitCode, stderr } = await scene.call([], STOPPED);
  t.equal(exitCode, 0);
  t.match(stderr, naming('front', 'eth0', 'device busy'));
  t.match(scene.log.at(-1), naming('error', 'c1', 'front', 'eth0', 'device busy', 'netmoor gc'));
  t.equal(readdirSync(join(scene.root, 'results')).length, 1, 'it stays on file for another attempt');
});

t.test('the files of the container', async (t) => {
  const scene = setScene(t, ['front']);
  const args = [
    '--networks',
    'front',
    '--files',
    'resolv.conf,hosts,hostname',
    '--hostname',
    'web.example.org',
    '--dns',
    '9.9.9.9',
  ];
  t.strictSame(await scene.call(args), { exitCode: 0, stderr: '' });
  t.equal(scene.read('bundle/rootfs/etc/resolv.conf'), 'nameserver 9.9.9.9\n');
  t.equal(scene.read('bundle/rootfs/etc/hostname'), 'web.example.org\n');
  t.match(scene.read('bundle/rootfs/etc/hosts'), /10\.1\.0\.2\tweb\.example\.org web\n/);
  t.match(scene.plugin.contexts[0]?.config.raw, { name: 'front' });
});

t.test('variables come from the file that a flag names, also relative to the bundle', async (t) => {
  const scene = setScene(t, ['vps']);
  scene.write('bundle/vps.env', 'VPS_NET=vps\nVPS_IP=172.18.0.11\n');
  const args = ['--env-file', 'vps.env', '--network', '$VPS_NET', '--ip', '$VPS_IP'];
  t.equal((await scene.call(args)).exitCode, 0);
  t.strictSame(scene.plugin.contexts[0]?.config.runtimeConfig.ips, ['172.18.0.11']);
  const { error } = await scene.call(['--env-file', 'none.env', '--network', '$VPS_NET'], { id: 'c2' });
  t.match(error, { kind: 'bad-config', message: naming('--env-file', join(scene.bundle, 'none.env')) });
});

t.test('nothing to do after the start', async (t) => {
  const scene = setScene(t, ['front']);
  const { exitCode, stderr } = await scene.call([], { status: 'running' });
  t.equal(exitCode, 0, 'runtimes kill a container whose poststart hook fails');
  t.match(stderr, naming('running', 'createRuntime', 'poststop'));
  t.strictSame(calls(scene), []);
});

t.test('input that is none', async (t) => {
  const scene = setScene(t, []);
  for (const stdin of ['', 'x', '[]', '{}', `{"id":"${'a'.repeat(2 ** 20)}"}`]) {
    const { exitCode, stderr } = await scene.call([], stdin);
    t.equal(exitCode, 1);
    t.match(stderr, /^netmoor-hook: [^\n]{1,2000}\n$/);
  }
  t.equal((await scene.call(['poststop'], 'x')).exitCode, 0, 'at poststop it is no failure');
  t.equal((await scene.call(['--nonsense'], { ...STOPPED })).exitCode, 0);
});

t.test('what another runtime attached is left to it', async (t) => {
  const scene = setScene(t, ['front']);
  mkdirSync(join(scene.root, 'results'));
  const config = Buffer.from(
    JSON.stringify({ cniVersion: '0.4.0', name: 'podman', plugins: [{ type: 'bridge-nat' }] }),
  ).toString('base64');
  const theirs = {
    kind: 'cniCacheV1',
    containerId: 'c1',
    config,
    ifName: 'eth0',
    networkName: 'podman',
    cniArgs: [],
    result: { cniVersion: '0.4.0' },
  };
  writeFileSync(join(scene.root, 'results/podman-c1-eth0'), JSON.stringify(theirs));
  await scene.call(['--networks', 'front:eth1']);
  await scene.call([], STOPPED);
  t.strictSame(calls(scene), ['ADD front', 'DEL front']);
  t.strictSame(readdirSync(join(scene.root, 'results')), ['podman-c1-eth0']);
});
