/** The map of all containers by name: right after every attach and detach, made anew when it is not there. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { files } from '../../lib/cni/files.ts';
import { forgetAttachment, rememberAttachment } from '../../lib/cni/lists/cache.ts';
import { refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { DEFAULT_NETWORK } from '../../lib/cni/lists/list.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import type { World } from '../../lib/cni/world.ts';
import { CONTAINER_NETNS, fakeWorld } from './cni-fakes.ts';

interface Place {
  readonly world: World;
  readonly map: string;
  attach(id: string, addresses: readonly string[], name?: string, ifname?: string): void;
  forget(id: string): void;
  lines(): string[];
}

function resultWith(addresses: readonly string[]): CniResult {
  return {
    interfaces: [{ name: 'br0' }, { name: 'eth0', sandbox: CONTAINER_NETNS }],
    ips: addresses.map((address) => ({ address, interface: 1 })),
    routes: [],
    dns: {},
  };
}

function place(t: Test): Place {
  const root = mkdtempSync(join(tmpdir(), 'netmoor-map-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const world = { ...fakeWorld(), files, resultsDirectory: join(root, 'results') };
  const map = join(root, 'run/netmoor/hosts');
  const list = { ...DEFAULT_NETWORK, name: 'net' };
  return {
    world,
    map,
    attach: (containerId, addresses, name, ifname = 'eth0') => {
      const args = new Map(name === undefined ? [] : [['K8S_POD_NAME', name] as const]);
      const attachment = {
        containerId,
        ifname,
        netns: CONTAINER_NETNS,
        args,
        capabilities: {},
        path: ['/opt/cni/bin'],
      };
      rememberAttachment(list, attachment, { result: resultWith(addresses), unfinished: false }, world);
      refreshHostMap(containerId, world, map);
    },
    forget: (containerId) => forgetAttachment({ network: 'net', containerId, ifname: 'eth0' }, world),
    lines: () =>
      readFileSync(map, 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#')),
  };
}

t.test('containers come and go', async (t) => {
  const { attach, forget, lines, world, map } = place(t);
  attach('c1', ['10.0.0.2/24', 'fd00::2/64'], 'web.example.org');
  attach('c2', ['10.0.0.3/24']);
  t.strictSame(lines(), [
    '10.0.0.2\tweb.example.org c1\t# net-c1-eth0',
    'fd00::2\tweb.example.org c1\t# net-c1-eth0',
    '10.0.0.3\tc2\t# net-c2-eth0',
  ]);
  t.equal(statSync(map).mode & 0o777, 0o644, 'anybody may read it');
  forget('c1');
  refreshHostMap('c1', world, map);
  t.strictSame(lines(), ['10.0.0.3\tc2\t# net-c2-eth0']);
});

t.test('several networks of one container', async (t) => {
  const { attach, lines } = place(t);
  attach('c1', ['10.0.0.2/24'], 'web');
  attach('c1', ['10.9.0.2/24'], 'web', 'eth1');
  t.strictSame(lines(), ['10.0.0.2\tweb c1\t# net-c1-eth0', '10.9.0.2\tweb c1\t# net-c1-eth1']);
});

t.test('the first to have a name keeps it', async (t) => {
  const { attach, lines } = place(t);
  attach('c1', ['10.0.0.2/24'], 'web');
  attach('c2', ['10.0.0.3/24'], 'WEB');
  attach('c3', ['10.0.0.4/24'], 'c1');
  t.strictSame(lines(), [
    '10.0.0.2\tweb c1\t# net-c1-eth0',
    '10.0.0.3\tc2\t# net-c2-eth0',
    '10.0.0.4\tc3\t# net-c3-eth0',
  ]);
  attach('c1', ['10.0.0.2/24'], 'web');
  t.ok(lines().includes('10.0.0.2\tweb c1\t# net-c1-eth0'), 'also when it is attached again');
});

t.test('names that are none', async (t) => {
  const { attach, lines } = place(t);
  for (const [index, name] of ['localhost', 'a b', 'a\nb 10.0.0.9', '10.0.0.1', '#', ''].entries())
    attach(`c${index}`, [`10.0.1.${index}/24`], name);
  t.strictSame(
    lines().map((line) => line.split('\t')[1]),
    ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'],
  );
});

t.test('made anew when it was deleted; what was deleted behind its back is dropped', async (t) => {
  const { attach, forget, lines, world, map } = place(t);
  for (const id of ['c1', 'c2', 'c3']) attach(id, [`10.0.0.${id.slice(1)}/24`]);
  const before = lines();
  rmSync(map);
  refreshHostMap('c9', world, map);
  t.strictSame(lines().sort(), before.sort());
  forget('c2');
  refreshHostMap('c9', world, map);
  t.strictSame(lines().length, 2);
  writeFileSync(map, 'nonsense\n10.0.0.1 somebody\n');
  refreshHostMap('c1', world, map);
  t.strictSame(lines(), ['10.0.0.1\tc1\t# net-c1-eth0'], 'lines of others are not ours to keep');
});

t.test('what another boot left does not count', async (t) => {
  const { attach, lines, world, map } = place(t);
  attach('c1', ['10.0.0.2/24']);
  rmSync(map);
  refreshHostMap('c1', { ...world, bootId: 'boot-2' }, map);
  t.strictSame(lines(), []);
});

t.test('the draft is no way out', async (t) => {
  const { attach, map } = place(t);
  attach('c1', ['10.0.0.2/24']);
  const victim = `${map}.victim`;
  writeFileSync(victim, 'precious');
  symlinkSync(victim, `${map}.new`);
  t.throws(() => attach('c2', ['10.0.0.3/24']), { code: 'ELOOP' });
  t.equal(readFileSync(victim, 'utf8'), 'precious');
  t.ok(existsSync(map));
});
