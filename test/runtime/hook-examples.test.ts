/**
 * What hooks/oci shows to copy, run as it stands: the fragment of config.json, and the network of netns in the README.
 */
import { readFileSync } from 'node:fs';
import { t, test } from 'tap';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { HOOK, makeHookBundle, readHostMap, Runtime, withRuntimeHost } from './hook-bundle.ts';
import type { HookBundle } from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { addressesOf } from './traffic.ts';

t.setTimeout(300_000);

const ROOM = new URL('../../hooks/oci/', import.meta.url);
const skip = lackingFor('runc', 'busybox', 'socat', 'nft');

function read(name: string): string {
  return readFileSync(new URL(name, ROOM), 'utf8');
}

type Hooks = Record<string, { readonly path: string; readonly args: readonly string[] }[]>;

function withProgram(hooks: Hooks): Hooks {
  const own = (listed: Hooks[string]) => listed.map((hook) => ({ ...hook, path: HOOK }));
  return Object.fromEntries(Object.entries(hooks).map(([stage, listed]) => [stage, own(listed)]));
}

async function makeFragmentBundle(host: Host): Promise<HookBundle> {
  const { hooks, annotations } = JSON.parse(read('examples/config.fragment.json')) as {
    hooks: Hooks;
    annotations: Record<string, string>;
  };
  return makeHookBundle(host, 'c1', {
    annotations,
    change: (spec) => {
      spec.hooks = withProgram(hooks);
    },
  });
}

test('the fragment of config.json', { skip }, async (t) => {
  await withRuntimeHost(t, async (host) => {
    for (const [name, subnet] of [
      ['front', '10.1.0.0/24'],
      ['back', '10.2.0.0/24'],
    ]) {
      const plugin = {
        type: 'bridge-nat',
        capabilities: { portMappings: true, ips: true },
        ipam: { subnet },
      };
      const list = { cniVersion: '1.0.0', name, plugins: [plugin] };
      host.write(`/etc/cni/net.d/${name}.conflist`, JSON.stringify(list));
    }
    host.write('/etc/resolv.conf', 'nameserver 127.0.0.53\nnameserver 192.0.2.53\n');
    const runtime = new Runtime(host, 'runc');
    const place = await runtime.start(await makeFragmentBundle(host));
    t.same(await addressesOf(place, 'eth0'), ['10.1.0.5/24']);
    t.match(await addressesOf(place, 'eth1'), [/^10\.2\.0\.\d+\/24$/]);
    t.equal(await runtime.exec('c1', 'cat', '/etc/resolv.conf'), 'nameserver 192.0.2.53\n');
    t.match(await runtime.exec('c1', 'cat', '/etc/hosts'), /^10\.1\.0\.5\tweb\.example\.org web$/m);
    t.match(await readHostMap(host), [['10.1.0.5', 'web.example.org', 'c1'], [/^10\.2\./]]);
    for (const [hostPort, port] of [
      [2222, 22],
      [8084, 8084],
    ] as const) {
      const server = await serve(place, 'tcp', port, { address: '0.0.0.0' });
      t.equal((await ask(host.outside, 'tcp', world.host4, hostPort))?.from, 'c1', `port ${hostPort}`);
      await server.stop();
    }
    await runtime.remove('c1');
  });
});

test('the network for users of netns', { skip }, async (t) => {
  await withRuntimeHost(t, async (host) => {
    const blocks = [...read('README.md').matchAll(/```json\n([^`]*)```/g)].map(([, block = '']) => block);
    const list = blocks.find((block) => block.includes('netns0')) ?? '';
    host.write('/etc/cni/net.d/10-netns.conflist', list);
    const runtime = new Runtime(host, 'runc');
    const annotations = {
      'netmoor/networks': 'netns',
      'netmoor/ip': '172.19.0.10',
      'netmoor/ip-file': '.ip',
    };
    const bundle = await makeHookBundle(host, 'c1', { annotations });
    const place = await runtime.start(bundle);
    t.same(await addressesOf(place, 'eth0'), ['172.19.0.10/16']);
    t.same(await addressesOf(host, 'netns0'), ['172.19.0.1/16']);
    t.equal((await place.ip('link', 'show', 'dev', 'eth0'))[0]?.mtu, 1500);
    t.equal(await host.must(['cat', `${bundle.directory}/.ip`]), '172.19.0.10\n');
    await runtime.remove('c1');
    t.same(
      (await host.ip('link', 'show')).map((link) => link.ifname),
      ['lo', 'uplink'],
    );
  });
});
