/** The dispatcher: from environment and stdin to exit code and stdout, without a process. */
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { EMPTY_RESULT } from '../../lib/cni/result.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import {
  CONFIG,
  CONTAINER_NETNS,
  OWN_NETNS,
  RESULT,
  environmentOf,
  fakePlugin,
  fakeWorld,
  invoke,
  printed,
} from './cni-fakes.ts';
import { naming } from '../naming.ts';

t.test('without CNI_COMMAND it introduces itself on stderr', async (t) => {
  for (const command of [undefined, '']) {
    const answer = await dispatch(
      fakePlugin(),
      { environment: { CNI_COMMAND: command }, readStdin: () => t.fail('read') as never },
      fakeWorld(),
    );
    t.match(answer, {
      exitCode: 0,
      stdout: '',
      stderr: naming('fake: a plugin for tests', ...SUPPORTED_VERSIONS),
    });
  }
});

t.test('VERSION needs nothing, and reads nothing', async (t) => {
  const answer = await dispatch(
    fakePlugin(),
    { environment: { CNI_COMMAND: 'VERSION' }, readStdin: () => t.fail('read') as never },
    fakeWorld(),
  );
  t.equal(answer.exitCode, 0);
  t.strictSame(printed(answer), { cniVersion: '1.1.0', supportedVersions: [...SUPPORTED_VERSIONS] });
});

t.test('ADD prints the result in the version asked for', async (t) => {
  for (const cniVersion of SUPPORTED_VERSIONS) {
    const answer = await invoke({ config: { ...CONFIG, cniVersion } });
    t.equal(answer.exitCode, 0);
    t.equal(printed(answer)['cniVersion'], cniVersion);
    t.equal('ip4' in printed(answer), cniVersion < '0.3.0', cniVersion);
  }
  const absent = await invoke({ config: { name: 'net1' } });
  t.match(printed(absent), { cniVersion: '0.1.0', ip4: { ip: '10.1.0.2/16' } });
});

t.test('the plugin gets everything, the namespace held open meanwhile', async (t) => {
  const plugin = fakePlugin();
  const world = fakeWorld();
  const answer = await invoke({ plugin, world, environment: { CNI_ARGS: 'A=1' } });
  t.equal(answer.stderr, '');
  t.match(plugin.contexts[0], {
    netns: { path: CONTAINER_NETNS },
    request: { containerId: 'c1', ifname: 'eth0', stdin: Buffer.from(JSON.stringify(CONFIG)) },
    config: { name: 'net1' },
    world,
  });
  t.strictSame(world.opened, [CONTAINER_NETNS]);
  t.strictSame(world.closed, [CONTAINER_NETNS]);
});

t.test('CHECK, DEL, GC and STATUS print nothing when all is well', async (t) => {
  for (const command of ['CHECK', 'DEL', 'GC', 'STATUS']) {
    const plugin = fakePlugin();
    const answer = await invoke({ command, plugin });
    t.strictSame(answer, { exitCode: 0, stdout: '', stderr: '' }, command);
    t.strictSame(plugin.calls, [`${command} net1`]);
  }
  const { gc: _gc, status: _status, ...simple } = fakePlugin();
  for (const command of ['GC', 'STATUS'])
    t.match(await invoke({ command, plugin: simple }), { exitCode: 0, stdout: '' }, command);
});

t.test('nothing is called when something is wrong', async (t) => {
  const cases: [string, Parameters<typeof invoke>[0], number, ...string[]][] = [
    [
      'missing variables',
      { environment: { CNI_CONTAINERID: '', CNI_IFNAME: undefined } },
      4,
      'CNI_CONTAINERID',
      'CNI_IFNAME',
    ],
    ['unknown command', { command: 'FROB' }, 4, 'CNI_COMMAND', 'FROB'],
    ['a byte order mark', { config: Buffer.from('\uFEFF{}') }, 6, 'byte order mark'],
    ['truncated JSON', { config: Buffer.from('{"name":') }, 6, 'JSON'],
    ['10 MB of JSON', { config: Buffer.alloc(10_000_000, 0x5b) }, 6, '1048576'],
    ['no name', { config: { cniVersion: '1.0.0' } }, 7, 'name'],
    ['unsupported version', { config: { ...CONFIG, cniVersion: '9.0.0' } }, 1, '"9.0.0"'],
    [
      'CHECK before 0.4.0',
      { command: 'CHECK', config: { ...CONFIG, cniVersion: '0.3.1' } },
      1,
      'CHECK',
      '0.3.1',
    ],
    ['no namespace', { environment: { CNI_NETNS: '/nowhere' } }, 4, 'CNI_NETNS', '/nowhere'],
    [
      'no namespace to check',
      { command: 'CHECK', environment: { CNI_NETNS: '/nowhere' } },
      4,
      'CNI_NETNS',
      '/nowhere',
    ],
    ['own namespace', { environment: { CNI_NETNS: OWN_NETNS } }, 4, 'CNI_NETNS', OWN_NETNS],
    [
      'own namespace at CHECK',
      { command: 'CHECK', environment: { CNI_NETNS: OWN_NETNS } },
      4,
      'CNI_NETNS',
      OWN_NETNS,
    ],
  ];
  for (const [what, call, code, ...things] of cases) {
    const plugin = fakePlugin();
    const world = fakeWorld();
    const answer = await invoke({ ...call, plugin, world });
    t.equal(answer.exitCode, 1, what);
    t.match(printed(answer), { code, msg: naming(...things), details: String }, what);
    t.strictSame(plugin.calls, [], what);
    t.strictSame(
      world.closed,
      world.opened.filter((path) => path === OWN_NETNS),
      `${what}: nothing stays open`,
    );
  }
});

t.test('errors carry the version of the configuration, once it is known', async (t) => {
  const versionOf = async (call: Parameters<typeof invoke>[0]) => printed(await invoke(call))['cniVersion'];
  t.equal(await versionOf({ config: { cniVersion: '0.4.0' } }), '0.4.0');
  t.equal(await versionOf({ config: {} }), '0.1.0');
  t.equal(await versionOf({ config: Buffer.from('{') }), '1.1.0');
  t.equal(await versionOf({ config: { ...CONFIG, cniVersion: '7.0.0' } }), '1.1.0');
});

t.test('CNI_NETNS_OVERRIDE allows the own namespace', async (t) => {
  const answer = await invoke({ environment: { CNI_NETNS: OWN_NETNS, CNI_NETNS_OVERRIDE: '1' } });
  t.equal(answer.exitCode, 0);
});

t.test('DEL of a namespace that is gone', async (t) => {
  for (const CNI_NETNS of ['', undefined, '/nowhere', 'relative']) {
    const plugin = fakePlugin();
    const answer = await invoke({ command: 'DEL', plugin, environment: { CNI_NETNS, CNI_PATH: undefined } });
    t.strictSame(answer, { exitCode: 0, stdout: '', stderr: '' });
    t.equal(plugin.contexts[0]?.netns, undefined);
  }
});

t.test('DEL of a namespace whose path is that of the own by now', async (t) => {
  const [plugin, world] = [fakePlugin(), fakeWorld()];
  const answer = await invoke({ command: 'DEL', plugin, world, environment: { CNI_NETNS: OWN_NETNS } });
  t.strictSame(answer, { exitCode: 0, stdout: '', stderr: '' });
  const [{ netns, request } = {}] = plugin.contexts;
  t.equal(netns, undefined);
  t.match(request, { netns: '', environment: { CNI_NETNS: '' } }, 'delegates do not see it either');
  t.strictSame(world.closed, world.opened, 'nothing stays open');
});

t.test('an IPAM plugin never has the namespace opened', async (t) => {
  const world = fakeWorld();
  const plugin = { ...fakePlugin(), role: 'ipam' as const };
  t.equal((await invoke({ plugin, world, environment: { CNI_NETNS: '/nowhere' } })).exitCode, 0);
  t.strictSame(world.opened, []);
});

t.test('what a plugin throws is the answer, and the namespace is closed', async (t) => {
  const world = fakeWorld();
  const plugin = fakePlugin(() => {
    throw new NetmoorError('port-taken', 'tcp 80 is taken', 'by another');
  });
  const answer = await invoke({ plugin, world, config: { ...CONFIG, cniVersion: '1.0.0' } });
  t.equal(answer.exitCode, 1);
  t.strictSame(printed(answer), {
    cniVersion: '1.0.0',
    code: 102,
    msg: 'tcp 80 is taken',
    details: 'by another',
  });
  t.strictSame(world.closed, [CONTAINER_NETNS]);
  const rejected = await invoke({
    plugin: { ...fakePlugin(), add: () => Promise.reject(new Error('later')) },
  });
  t.match(printed(rejected), { code: 999, msg: 'later' });
});

t.test('a result the version cannot express is undone', async (t) => {
  const plugin = fakePlugin(() => EMPTY_RESULT);
  const answer = await invoke({ plugin, config: { ...CONFIG, cniVersion: '0.2.0' } });
  t.equal(answer.exitCode, 1);
  t.match(printed(answer), { code: 7 });
  t.strictSame(plugin.calls, ['ADD net1', 'DEL net1']);
});

t.test('notes go to stderr, also when the command fails', async (t) => {
  const plugin = {
    ...fakePlugin(),
    add: (context: Parameters<ReturnType<typeof fakePlugin>['add']>[0]) => {
      context.note('one');
      context.note('two');
      return RESULT;
    },
    check: (context: Parameters<ReturnType<typeof fakePlugin>['check']>[0]) => {
      context.note('three');
      throw new Error('x');
    },
  };
  t.equal((await invoke({ plugin })).stderr, 'one\ntwo\n');
  t.match(await invoke({ command: 'CHECK', plugin }), { exitCode: 1, stderr: 'three\n' });
});

t.test('stdin that cannot be read is an I/O failure', async (t) => {
  const readStdin = () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
  const answer = await dispatch(fakePlugin(), { environment: environmentOf('ADD'), readStdin }, fakeWorld());
  t.match(printed(answer), { code: 5, msg: naming('EIO') });
});
