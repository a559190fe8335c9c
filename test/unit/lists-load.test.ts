/** Finding and reading network lists, by libcni's rules. */
import t from 'tap';
import { DEFAULT_NETWORK, findNetworkList, loadNetworkLists } from '../../lib/cni/lists/load.ts';
import { memoryWorld } from './lists-fakes.ts';
import { naming } from '../naming.ts';

const DIR = '/etc/cni/net.d';

function load(files: Record<string, unknown>): { names: string[]; problems: string[] } {
  const problems: string[] = [];
  const world = memoryWorld(
    Object.fromEntries(Object.entries(files).map(([name, value]) => [`${DIR}/${name}`, value])),
  );
  const lists = loadNetworkLists(DIR, world, ({ message }) => problems.push(message));
  return {
    names: lists.map(
      (list) => `${list.name} ${list.cniVersion} ${list.plugins.map(({ type }) => type).join('+')}`,
    ),
    problems,
  };
}

t.test('lists before single plugins, each in the order of the names', async (t) => {
  const { names, problems } = load({
    '20-b.conflist': { cniVersion: '1.0.0', name: 'b', plugins: [{ type: 'bridge' }, { type: 'portmap' }] },
    '10-a.conflist': { cniVersion: '0.4.0', name: 'a', plugins: [{ type: 'macvlan' }] },
    '05-c.conf': { cniVersion: '0.3.1', name: 'c', type: 'ptp' },
    '06-d.json': { name: 'd', type: 'ipvlan' },
    README: 'not read',
    'cni.lock': '',
  });
  t.strictSame(names, ['a 0.4.0 macvlan', 'b 1.0.0 bridge+portmap', 'c 0.3.1 ptp', 'd 0.1.0 ipvlan']);
  t.strictSame(problems, []);
});

t.test('plugins from the directory named after the network follow the inlined ones', async (t) => {
  const parts = { 'n/20-y.conf': { type: 'y' }, 'n/10-x.conf': { type: 'x' }, 'n/z.conflist': { type: 'z' } };
  t.strictSame(load({ 'n.conflist': { name: 'n', plugins: [{ type: 'a' }] }, ...parts }).names, [
    'n 0.1.0 a+x+y',
  ]);
  t.strictSame(load({ 'n.conflist': { name: 'n' }, ...parts }).names, ['n 0.1.0 x+y']);
  for (const loadOnlyInlinedPlugins of [true, 'true', 'TRUE']) {
    const closed = { name: 'n', loadOnlyInlinedPlugins, plugins: [{ type: 'a' }] };
    t.strictSame(load({ 'n.conflist': closed, ...parts }).names, ['n 0.1.0 a']);
  }
});

t.test('versions: the highest that is known', async (t) => {
  const cases: [object, string][] = [
    [{}, '0.1.0'],
    [{ cniVersion: '' }, '0.1.0'],
    [{ cniVersion: '0.3.1', cniVersions: ['0.4.0', '1.0.0', '0.3.0'] }, '1.0.0'],
    [{ cniVersion: '1.1.0', cniVersions: ['0.4.0'] }, '1.1.0'],
    [{ cniVersions: ['0.4.0', '2.0.0'] }, '0.4.0'],
    [{ cniVersion: '9.9.9', cniVersions: ['0.3.1'] }, '0.3.1'],
  ];
  for (const [versions, expected] of cases) {
    const { names } = load({ 'n.conflist': { name: 'n', plugins: [{ type: 'a' }], ...versions } });
    t.strictSame(names, [`n ${expected} a`], JSON.stringify(versions));
  }
});

t.test('switches are booleans or their words', async (t) => {
  const list = (value: unknown) => {
    const world = memoryWorld({
      [`${DIR}/n.conflist`]: { name: 'n', disableCheck: value, disableGC: value, plugins: [{ type: 'a' }] },
    });
    return loadNetworkLists(DIR, world)[0];
  };
  for (const on of [true, 'true', 'True']) t.match(list(on), { disableCheck: true, disableGC: true });
  for (const off of [false, 'false', null]) t.match(list(off), { disableCheck: false, disableGC: false });
  for (const wrong of ['yes', 1, '']) t.equal(list(wrong), undefined);
});

t.test('a file that is of no use is reported, and the others are used', async (t) => {
  const good = { name: 'good', plugins: [{ type: 'a' }] };
  const cases: [Record<string, unknown>, ...string[]][] = [
    [{ 'x.conflist': '{"name": "x"' }, 'x.conflist', 'JSON'],
    [{ 'x.conflist': '[]' }, 'x.conflist', 'JSON', '[]'],
    [{ 'x.conflist': { plugins: [{ type: 'a' }] } }, 'x.conflist', 'name'],
    [{ 'x.conflist': { name: '../x', plugins: [{ type: 'a' }] } }, 'x.conflist', 'name', '"../x"'],
    [{ 'x.conflist': { name: 'x'.repeat(77), plugins: [{ type: 'a' }] } }, 'x.conflist', 'name', '77', '76'],
    [{ 'x.conflist': { name: 'x', plugins: [] } }, 'x.conflist', 'plugins'],
    [{ 'x.conflist': { name: 'x' } }, 'x.conflist', 'plugins'],
    [{ 'x.conflist': { name: 'x', loadOnlyInlinedPlugins: true } }, 'x.conflist', 'loadOnlyInlinedPlugins'],
    [{ 'x.conflist': { name: 'x', plugins: [{}] } }, 'x.conflist', 'plugins[0].type'],
    [
      { 'x.conflist': { name: 'x', plugins: [{ type: '../../bin/sh' }] } },
      'x.conflist',
      'plugins[0].type',
      '"../../bin/sh"',
    ],
    [{ 'x.conflist': { name: 'x', plugins: {} } }, 'x.conflist', 'plugins', '{}'],
    [
      { 'x.conflist': { name: 'x', cniVersion: '2.0.0', plugins: [{ type: 'a' }] } },
      'x.conflist',
      'cniVersion',
      '"2.0.0"',
    ],
    [
      { 'x.conflist': { name: 'x', cniVersion: 1, plugins: [{ type: 'a' }] } },
      'x.conflist',
      'cniVersion',
      '1',
    ],
    [
      { 'x.conflist': { name: 'x', cniVersions: ['new'], plugins: [{ type: 'a' }] } },
      'x.conflist',
      'cniVersion',
      '"new"',
    ],
    [{ 'x.conflist': { name: 'x' }, 'x/1.conf': {} }, 'x/1.conf', 'type'],
    [{ 'x.conf': { type: 'a' } }, 'x.conf', 'name'],
    [{ 'x.conf': { name: 'x' } }, 'x.conf', 'type'],
    [{ 'x.conflist': { ...good, plugins: [{ type: 'b' }] } }, 'x.conflist', 'good', `${DIR}/good.conflist`],
  ];
  for (const [files, ...things] of cases) {
    const { names, problems } = load({ 'good.conflist': good, ...files });
    t.strictSame(names, ['good 0.1.0 a'], things.join());
    t.match(problems, [naming(...things)]);
    t.equal(problems.length, 1);
  }
});

t.test('a network by name', async (t) => {
  const world = memoryWorld({
    '/first/n.conflist': { name: 'n', plugins: [{ type: 'first' }] },
    '/second/n.conflist': { name: 'n', plugins: [{ type: 'second' }] },
    '/second/bad.conflist': '{',
  });
  t.match(findNetworkList('n', ['/first', '/second'], world).plugins, [{ type: 'first' }]);
  t.match(findNetworkList('n', ['/second/', '/first'], world).source, '/second/n.conflist');
  t.equal(findNetworkList('netmoor', ['/first'], world), DEFAULT_NETWORK);
  t.throws(() => findNetworkList('netmor', ['/first', '/second'], world), {
    message: naming('"netmor"', '/first', '/second'),
    details: naming('"netmoor"', 'n, netmoor', '/second/bad.conflist'),
    kind: 'bad-config',
  });
  const own = memoryWorld({ '/d/x.conflist': { name: 'netmoor', plugins: [{ type: 'mine' }] } });
  t.match(
    findNetworkList('netmoor', ['/d'], own).plugins,
    [{ type: 'mine' }],
    'a file takes the place of the built-in network',
  );
});
