/** A runtime's part of ADD, DEL and CHECK: order, requests, what is on file, and what a failure undoes. */
import t from 'tap';
import { adapt } from '../../lib/cni/lists/attachment.ts';
import type { Attachment } from '../../lib/cni/lists/attachment.ts';
import { cachedAttachments } from '../../lib/cni/lists/cache.ts';
import { addNetwork, checkNetwork, delNetwork } from '../../lib/cni/lists/invoke.ts';
import { addNetworks } from '../../lib/cni/lists/several.ts';
import { CONTAINER_NETNS, OWN_NETNS, fakePlugin } from './cni-fakes.ts';
import {
  PROGRAMS,
  answering,
  attachmentOf,
  callsOf,
  configsOf,
  failing,
  foreign,
  listOf,
  memoryWorld,
} from './lists-fakes.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { naming } from '../naming.ts';

const CHAIN = listOf(
  { type: 'one', capabilities: { ips: true } },
  { type: 'two', capabilities: { portMappings: true } },
  { type: 'three' },
);
const FILE = '/nowhere/results/net1-c1-eth0';
const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

t.test('ADD in order, each with the result before it, DEL in reverse with the last result', async (t) => {
  const world = memoryWorld({}, answering(), PROGRAMS);
  const wanted = attachmentOf({
    capabilities: { portMappings: PORTS, ips: ['10.1.0.5'], dns: { servers: ['10.1.0.1'] } },
  });
  const result = await addNetwork(CHAIN, wanted, world, foreign);
  t.strictSame(
    result.interfaces.map(({ name }) => name),
    ['one', 'two', 'three'],
  );
  t.strictSame(callsOf(world), ['ADD one', 'ADD two', 'ADD three']);
  const [one, two, three] = configsOf(world);
  const envelope = { name: 'net1', cniVersion: '1.0.0' };
  t.strictSame(one, { type: 'one', ...envelope, runtimeConfig: { ips: ['10.1.0.5'] } });
  t.match(two, {
    type: 'two',
    ...envelope,
    runtimeConfig: { portMappings: PORTS },
    prevResult: { interfaces: [{ name: 'one' }] },
  });
  t.notOk(Object.hasOwn(two ?? {}, 'capabilities'), "capabilities are the runtime's affair");
  t.notOk(Object.hasOwn(three ?? {}, 'runtimeConfig'), 'only what a plugin declares');

  world.executed.length = 0;
  await delNetwork(undefined, { ...attachmentOf(), network: 'net1' }, world, foreign);
  t.strictSame(callsOf(world), ['DEL three', 'DEL two', 'DEL one']);
  const last = { interfaces: [{ name: 'one' }, { name: 'two' }, { name: 'three' }] };
  for (const config of configsOf(world)) t.match(config, { prevResult: last });
  t.match(configsOf(world)[1], { runtimeConfig: { portMappings: PORTS } }, 'as at ADD');
  t.equal(world.content.size, 0, 'nothing on file any more');
});

t.test('the environment of a plugin', async (t) => {
  const world = memoryWorld({}, answering(), PROGRAMS);
  const environment = { CNI_COMMAND: 'GC', CNI_NETNS_OVERRIDE: '1', HOME: '/root' };
  await addNetwork(
    listOf({ type: 'one' }),
    attachmentOf({ args: new Map([['A', 'b']]), path: ['/x', '/opt/cni/bin'], environment }),
    world,
    foreign,
  );
  t.match(world.executed[0]?.environment, {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: CONTAINER_NETNS,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'A=b;IgnoreUnknown=1',
    CNI_PATH: '/x:/opt/cni/bin',
    HOME: '/root',
    PATH: /\/usr\/sbin/,
  });
  t.notOk(world.executed[0]?.environment['CNI_NETNS_OVERRIDE']);
});

t.test('what is on file reads as libcni writes it', async (t) => {
  const world = memoryWorld({}, answering(), PROGRAMS);
  await addNetwork(
    CHAIN,
    attachmentOf({ capabilities: { ips: ['10.1.0.5'] }, args: new Map([['A', 'b']]) }),
    world,
    foreign,
  );
  const cached = JSON.parse(String(world.content.get(FILE))) as Record<string, string>;
  const args = [
    ['A', 'b'],
    ['IgnoreUnknown', '1'],
  ];
  t.match(cached, {
    kind: 'cniCacheV1',
    containerId: 'c1',
    networkName: 'net1',
    ifName: 'eth0',
    netns: CONTAINER_NETNS,
    cniArgs: args,
  });
  t.match(cached, {
    capabilityArgs: { ips: ['10.1.0.5'] },
    result: { cniVersion: '1.0.0', interfaces: [{ name: 'one' }] },
  });
  const config = JSON.parse(Buffer.from(cached['config'] ?? '', 'base64').toString()) as object;
  t.strictSame(config, {
    cniVersion: '1.0.0',
    name: 'net1',
    loadOnlyInlinedPlugins: true,
    plugins: CHAIN.plugins,
  });
  const [read] = cachedAttachments('c1', world);
  t.match(read, {
    network: 'net1',
    ifname: 'eth0',
    list: { plugins: CHAIN.plugins },
    origin: { bootId: 'boot-1', unfinished: false },
  });
});

t.test('the file of another runtime serves as well', async (t) => {
  const list = { cniVersion: '0.4.0', name: 'net1', plugins: [{ type: 'one' }] };
  const cache = (changes: object) => ({
    kind: 'cniCacheV1',
    containerId: 'c1',
    config: Buffer.from(JSON.stringify(list)).toString('base64'),
    ifName: 'eth0',
    networkName: 'net1',
    netns: CONTAINER_NETNS,
    result: { cniVersion: '0.4.0', interfaces: [{ name: 'of libcni' }] },
    ...changes,
  });
  const world = memoryWorld(
    {
      [FILE]: cache({}),
      '/nowhere/results/net1-c1-other': cache({ kind: 'other' }),
      '/nowhere/results/x-c1-half': '{"kind":',
      '/nowhere/results/net1-c1-dotdot': cache({ ifName: '../../x' }),
      '/nowhere/results/a-c1-b': cache({ containerId: 'c2' }),
      '/nowhere/results/.net1-c1-eth0': cache({}),
    },
    answering(),
    PROGRAMS,
  );
  t.equal(cachedAttachments('c1', world).length, 1);
  await delNetwork(undefined, { ...attachmentOf({ netns: '' }), network: 'net1' }, world, foreign);
  t.strictSame(callsOf(world), ['DEL one']);
  t.match(configsOf(world), [{ prevResult: { interfaces: [{ name: 'of libcni' }] } }]);
  t.equal(world.executed[0]?.environment['CNI_NETNS'], CONTAINER_NETNS);
});

t.test('the k-th failure undoes what came before it', async (t) => {
  for (const [k, type] of ['one', 'two', 'three'].entries()) {
    const world = memoryWorld({}, answering({ [`${type} ADD`]: failing(11, 'full') }), PROGRAMS);
    await t.rejects(addNetwork(CHAIN, attachmentOf(), world, foreign), {
      message: `${type} ADD: full`,
      code: 11,
    });
    const started = ['one', 'two', 'three'].slice(0, k + 1);
    t.strictSame(callsOf(world), [
      ...started.map((name) => `ADD ${name}`),
      ...started.toReversed().map((name) => `DEL ${name}`),
    ]);
    const undone = configsOf(world).slice(k + 1);
    if (k > 0)
      for (const config of undone)
        t.match(config, { prevResult: { interfaces: [{ name: 'one' }] } }, 'DEL knows how far it came');
    t.equal(world.content.size, 0);
  }
});

t.test('a failed plugin whose DEL fails too does not keep the others from being undone', async (t) => {
  const fail = { 'two ADD': failing(999, 'broken'), 'two DEL': failing(999, 'still broken') };
  const world = memoryWorld({}, answering(fail), PROGRAMS);
  const notes: string[] = [];
  await t.rejects(
    addNetwork(CHAIN, attachmentOf(), world, foreign, (line) => notes.push(line)),
    { message: 'two ADD: broken' },
  );
  t.strictSame(callsOf(world), ['ADD one', 'ADD two', 'DEL two', 'DEL one']);
  t.match(notes, [naming('two DEL', 'still broken')]);
  t.equal(world.content.size, 0);
});

t.test('what cannot be undone stays on file, and the error says so', async (t) => {
  const world = memoryWorld(
    {},
    answering({ 'two ADD': failing(999, 'broken'), 'one DEL': failing(5, 'disk') }),
    PROGRAMS,
  );
  await t.rejects(addNetwork(CHAIN, attachmentOf(), world, foreign), {
    message: 'two ADD: broken',
    details: naming('one DEL: disk', '"netmoor detach --id c1"'),
  });
  t.match(cachedAttachments('c1', world), [{ origin: { unfinished: true } }]);
  const later = { ...memoryWorld({}, answering(), PROGRAMS), files: world.files, content: world.content };
  await delNetwork(undefined, { ...attachmentOf(), network: 'net1' }, later, foreign);
  t.strictSame(callsOf(later), ['DEL three', 'DEL two', 'DEL one']);
  t.equal(world.content.size, 0);
});

t.test('an answer that is no result is a failed ADD', async (t) => {
  for (const [stdout, kind] of [
    ['', 'bad-json'],
    ['done\n', 'bad-json'],
    ['[]', 'bad-json'],
    ['{"interfaces":"eth0"}', 'bad-config'],
    ['{"cniVersion":"7.0.0"}', 'bad-version'],
  ] as const) {
    const world = memoryWorld({}, answering({ 'one ADD': { stdout: Buffer.from(stdout) } }), PROGRAMS);
    await t.rejects(
      addNetwork(listOf({ type: 'one' }), attachmentOf(), world, foreign),
      { kind, message: naming('one') },
      stdout,
    );
    t.strictSame(callsOf(world), ['ADD one', 'DEL one']);
  }
  const world = memoryWorld({}, answering({ 'one ADD': { stdout: Buffer.from('null') } }), PROGRAMS);
  t.match(
    await addNetwork(listOf({ type: 'one' }), attachmentOf(), world, foreign),
    { interfaces: [], ips: [] },
    'as libcni has it',
  );
});

t.test('DEL halts at a failure, and goes on from the file next time', async (t) => {
  const fail = { 'two DEL': failing(5, 'busy') };
  const world = memoryWorld({}, answering(fail), PROGRAMS);
  await addNetwork(CHAIN, attachmentOf(), world, foreign);
  world.executed.length = 0;
  await t.rejects(delNetwork(CHAIN, attachmentOf(), world, foreign), { message: 'two DEL: busy' });
  t.strictSame(callsOf(world), ['DEL three', 'DEL two'], 'the address stays taken while rules lead to it');
  t.equal(world.content.size, 1);
});

t.test('DEL passes over a plugin that refuses its configuration: it never did anything by it', async (t) => {
  const world = memoryWorld({}, answering({ 'two DEL': failing(1, 'incompatible CNI versions') }), PROGRAMS);
  await delNetwork(CHAIN, attachmentOf(), world, foreign);
  t.strictSame(callsOf(world), ['DEL three', 'DEL two', 'DEL one']);
});

t.test('DEL in a namespace that is not the one of ADD any more gets none', async (t) => {
  const cases: [string, Partial<Attachment>, object][] = [
    ['another inode', { netnsId: '4:1999' }, {}],
    ['another boot', {}, { bootId: 'boot-2' }],
    [
      'another process under the number',
      { process: { pid: 7, started: '100' } },
      { processIdentity: (pid: number) => ({ pid, started: '200' }) },
    ],
    ['a process that ended', { process: { pid: 7, started: '100' } }, { processIdentity: () => undefined }],
    ['the host itself', {}, { ownNetnsId: () => '4:2000' }],
  ];
  for (const [what, recorded, now] of cases) {
    const world = memoryWorld({}, answering(), PROGRAMS);
    const born = {
      ...world,
      processIdentity: (pid: number) => ({ pid, started: '100' }),
      openNetns: (path: string) => ({ fd: 9, path, id: recorded.netnsId ?? '4:2000' }),
    };
    await addNetwork(CHAIN, attachmentOf(recorded), born, foreign);
    world.executed.length = 0;
    await delNetwork(undefined, { ...attachmentOf(), network: 'net1' }, { ...world, ...now }, foreign);
    t.strictSame(
      world.executed.map(({ environment }) => environment['CNI_NETNS']),
      ['', '', ''],
      what,
    );
  }
});

t.test('nothing is DELeted twice, nor what was never attached', async (t) => {
  const world = memoryWorld({}, answering(), PROGRAMS);
  await delNetwork(undefined, { ...attachmentOf(), network: 'net1' }, world, foreign);
  t.strictSame(callsOf(world), []);
  await addNetwork(CHAIN, attachmentOf(), world, foreign);
  world.executed.length = 0;
  await addNetwork(CHAIN, attachmentOf(), world, foreign);
  t.strictSame(
    callsOf(world),
    ['DEL three', 'DEL two', 'DEL one', 'ADD one', 'ADD two', 'ADD three'],
    'an earlier one makes way',
  );
});

t.test('what another process is attaching this very moment is left to it', async (t) => {
  const processes: Record<number, string> = { 4711: '1', 4712: '2' };
  const identity = (pid: number) => {
    const started = processes[pid];
    return started === undefined ? undefined : { pid, started };
  };
  const world = memoryWorld(
    {},
    answering({ 'one ADD': failing(5, 'x'), 'one DEL': failing(5, 'x') }),
    PROGRAMS,
  );
  const other = { ...world, pid: 4712, processIdentity: identity };
  const pair = listOf({ type: 'two' }, { type: 'one' });
  const stuck = answering({ 'one ADD': failing(5, 'x'), 'two DEL': failing(5, 'x') });
  const died = { ...other, execute: memoryWorld({}, stuck, PROGRAMS).execute };
  await t.rejects(addNetwork(pair, attachmentOf(), died, foreign), { message: 'one ADD: x' });
  t.equal(world.content.size, 1, 'unfinished, and on file');
  const mine = {
    ...world,
    processIdentity: identity,
    execute: memoryWorld({}, answering(), PROGRAMS).execute,
  };
  await t.rejects(addNetwork(pair, attachmentOf(), mine, foreign), {
    message: naming('net1/c1/eth0', 'process 4712'),
    kind: 'try-again',
  });
  delete processes[4712];
  await addNetwork(pair, attachmentOf(), mine, foreign);
  t.match(cachedAttachments('c1', mine), [{ origin: { unfinished: false, worker: { pid: 4711 } } }]);
});

t.test('all is checked before any plugin runs', async (t) => {
  const cases: [Partial<Attachment>, ErrorKind, ...string[]][] = [
    [{ containerId: '../c1' }, 'bad-config', '"../c1"'],
    [{ containerId: 'x'.repeat(154) }, 'bad-config', '154', '153'],
    [{ ifname: 'eth0/..' }, 'bad-config', '"eth0/.."'],
    [{ ifname: 'sixteen-letters-x' }, 'bad-config', '"sixteen-letters-x"', '15'],
    [{ netns: 'run/netns/x' }, 'bad-config', '"run/netns/x"'],
    [{ netns: '/run/netns/none' }, 'bad-netns', '"/run/netns/none"'],
    [{ netns: OWN_NETNS }, 'own-netns', `"${OWN_NETNS}"`],
    [{ netnsId: '4:1' }, 'bad-netns', '"/run/netns/container"'],
    [{ process: { pid: 12, started: '1' } }, 'bad-netns', '12'],
    [{ path: [] }, 'bad-config'],
    [{ path: ['bin'] }, 'bad-config', '"bin"'],
    [{ path: ['/usr/lib/cni'] }, 'delegate', '"one"'],
    [{ args: new Map([['A', 'x;CNI_NETNS=/']]) }, 'bad-config', 'A', '"x;CNI_NETNS=/"'],
    [{ args: new Map([['A;B', 'x']]) }, 'bad-config', '"A;B"'],
    [{ capabilities: { ips: ['10.1.0.999'] } }, 'bad-config', '"10.1.0.999"'],
    [{ capabilities: { mac: '01:00:00:00:00:00', ips: ['10.1.0.1'] } }, 'bad-config', '01:00:00:00:00:00'],
    [
      { capabilities: { portMappings: [{ hostPort: 80, containerPort: 99999 }] } },
      'bad-config',
      'containerPort',
      '99999',
    ],
    [{ capabilities: { portMappings: [PORTS[0] ?? {}, PORTS[0] ?? {}] } }, 'bad-config', 'tcp 8080'],
    [{ capabilities: { portMappings: 'all' } }, 'bad-config', 'runtimeConfig.portMappings', '"all"'],
  ];
  for (const [changes, kind, ...things] of cases) {
    const world = memoryWorld({}, answering(), PROGRAMS);
    const what = Object.keys(changes).join();
    const wanted = { kind, message: naming(...things) };
    await t.rejects(addNetwork(CHAIN, attachmentOf(changes), world, foreign), wanted, what);
    t.strictSame(callsOf(world), [], `no plugin ran: ${what}`);
    t.equal(world.content.size, 0);
  }
});

t.test('what no plugin declares to take', async (t) => {
  const plain = listOf({ type: 'one' });
  const world = memoryWorld({}, answering(), PROGRAMS);
  await addNetwork(
    plain,
    attachmentOf({ capabilities: { ips: ['10.1.0.5/24'], mac: '02:00:00:00:00:05' } }),
    world,
    foreign,
  );
  t.match(
    world.executed[0]?.environment['CNI_ARGS'],
    /^IP=10\.1\.0\.5;MAC=02:00:00:00:00:05;IgnoreUnknown=1$/,
    'the older way',
  );
  for (const capabilities of [{ portMappings: PORTS }, { ips: ['10.1.0.5', 'fd00::5'] }]) {
    const refusing = memoryWorld({}, answering(), PROGRAMS);
    await t.rejects(addNetwork(plain, attachmentOf({ capabilities }), refusing, foreign), {
      kind: 'bad-config',
      message: naming('net1', Object.keys(capabilities).join()),
      details: naming('"capabilities"'),
    });
    t.strictSame(callsOf(refusing), []);
  }
});

t.test('a range of ports, as the plugins of a network take it', (t) => {
  const declaring = (...types: string[]) => ({
    ...CHAIN,
    plugins: types.map((type) => ({ type, capabilities: { portMappings: true } })),
  });
  const asked = (range: number) => {
    const portMappings = [{ hostPort: 8000, containerPort: 80, protocol: 'udp', range }];
    return attachmentOf({ capabilities: { portMappings } });
  };
  const portsOf = (range: number, ...types: string[]) =>
    adapt(declaring(...types), asked(range)).capabilities['portMappings'];
  t.match(portsOf(50_000, 'bridge-nat', 'tuning'), [{ hostPort: 8000, range: 50_000 }], 'one for ours');
  t.strictSame(
    portsOf(2, 'bridge', 'portmap'),
    [
      { hostPort: 8000, containerPort: 80, protocol: 'udp' },
      { hostPort: 8001, containerPort: 81, protocol: 'udp' },
    ],
    'each by itself for portmap',
  );
  t.equal((portsOf(1024, 'portmap') as unknown[]).length, 1024);
  t.throws(() => portsOf(1025, 'bridge-nat', 'portmap'), {
    kind: 'bad-config',
    message: naming('portmap', '1025'),
  });
  t.end();
});

t.test('two attachments that share a file name', async (t) => {
  const world = memoryWorld({}, answering(), PROGRAMS);
  const first = { ...listOf({ type: 'one' }), name: 'a-b' };
  await addNetwork(first, attachmentOf({ containerId: 'c' }), world, foreign);
  world.executed.length = 0;
  const second = { ...first, name: 'a' };
  await t.rejects(addNetwork(second, attachmentOf({ containerId: 'b-c' }), world, foreign), {
    kind: 'bad-config',
    message: naming('a/b-c/eth0', 'a-b-c-eth0', 'a-b/c/eth0'),
  });
  await delNetwork(second, attachmentOf({ containerId: 'b-c' }), world, foreign);
  t.equal(cachedAttachments('c', world).length, 1, "the other one's file is left alone");
});

t.test('CHECK in order with the result of ADD', async (t) => {
  const world = memoryWorld({}, answering({ 'three CHECK': failing(104, 'address gone') }), PROGRAMS);
  await t.rejects(checkNetwork(CHAIN, attachmentOf(), world, foreign), {
    message: naming('c1', 'net1', 'eth0'),
    kind: 'unknown-container',
  });
  await addNetwork(CHAIN, attachmentOf({ capabilities: { ips: ['10.1.0.5'] } }), world, foreign);
  world.executed.length = 0;
  await t.rejects(checkNetwork(CHAIN, attachmentOf(), world, foreign), {
    message: 'three CHECK: address gone',
    code: 104,
  });
  t.strictSame(callsOf(world), ['CHECK one', 'CHECK two', 'CHECK three']);
  t.match(configsOf(world)[0], {
    runtimeConfig: { ips: ['10.1.0.5'] },
    prevResult: { interfaces: [{}, {}, { name: 'three' }] },
  });
  world.executed.length = 0;
  await checkNetwork({ ...CHAIN, disableCheck: true }, attachmentOf(), world, foreign);
  t.strictSame(callsOf(world), []);
  await t.rejects(checkNetwork({ ...CHAIN, cniVersion: '0.3.1' }, attachmentOf(), world, foreign), {
    message: naming('net1', '0.3.1', 'CHECK'),
    kind: 'bad-version',
  });
});

t.test('before 0.4.0 DEL has no previous result', async (t) => {
  const old = { ...listOf({ type: 'one' }), cniVersion: '0.3.1' as const };
  const world = memoryWorld({}, answering(), PROGRAMS);
  await addNetwork(old, attachmentOf(), world, foreign);
  await delNetwork(old, attachmentOf(), world, foreign);
  t.notOk(Object.hasOwn(configsOf(world)[1] ?? {}, 'prevResult'));
});

t.test('our own plugins run in this process', async (t) => {
  const plugin = fakePlugin();
  const world = memoryWorld({}, answering(), PROGRAMS);
  const ours = async (type: string) => (type === 'mine' ? plugin : undefined);
  const result = await addNetwork(listOf({ type: 'mine' }, { type: 'one' }), attachmentOf(), world, ours);
  t.strictSame(
    result.interfaces.map(({ name }) => name),
    ['br0', 'eth0', 'one'],
  );
  await delNetwork(undefined, { ...attachmentOf(), network: 'net1' }, world, ours);
  t.strictSame(plugin.calls, ['ADD net1', 'DEL net1']);
  t.strictSame(callsOf(world), ['ADD one', 'DEL one']);
  const failed = fakePlugin(() => {
    throw new Error('out of luck');
  });
  await t.rejects(
    addNetwork(listOf({ type: 'mine' }), attachmentOf(), world, async () => failed),
    { message: naming('mine ADD', 'out of luck'), kind: 'internal' },
  );
  t.strictSame(failed.calls, ['ADD net1', 'DEL net1']);
});

t.test('several networks: all or none', async (t) => {
  const plan = (name: string, type: string, ifname: string) => ({
    list: { ...listOf({ type }), name },
    attachment: attachmentOf({ ifname }),
  });
  const plans = [plan('n1', 'one', 'eth0'), plan('n2', 'two', 'eth1'), plan('n3', 'three', 'eth2')];
  const world = memoryWorld({}, answering({ 'three ADD': failing(11, 'full') }), PROGRAMS);
  await t.rejects(
    addNetworks(plans, world, foreign, () => {}),
    { message: 'three ADD: full' },
  );
  t.strictSame(callsOf(world), ['ADD one', 'ADD two', 'ADD three', 'DEL three', 'DEL two', 'DEL one']);
  t.equal(world.content.size, 0);
  const missing = memoryWorld({}, answering(), PROGRAMS.slice(0, 2));
  await t.rejects(
    addNetworks(plans, missing, foreign, () => {}),
    { kind: 'delegate', message: naming('"three"') },
  );
  t.strictSame(callsOf(missing), [], 'the last network is checked before the first one is attached');
});
