/**
 * Virtual private servers: runc bundles with one configuration for all, each with a fixed address from an environment
 * file, ssh on a published port, http through a proxy on the host that knows them by name. The files are those of
 * hooks/oci/examples.
 */
import { readFileSync } from 'node:fs';
import { t, test } from 'tap';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import {
  countResults,
  HOOK,
  HOOK_FILES,
  HOST_MAP,
  makeHookBundle,
  readHostMap,
  Runtime,
  withRuntimeHost,
} from './hook-bundle.ts';
import type { HookBundle } from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { stateOf } from './states.ts';
import { addressesOf, serveAll } from './traffic.ts';

t.setTimeout(300_000);

const EXAMPLES = new URL('../../hooks/oci/examples/', import.meta.url);
const IGNORED = new RegExp(`${HOOK_FILES.source}|^\\S /etc/cni/net.d|^\\S /run/proxy`);

function example(name: string): string {
  return readFileSync(new URL(name, EXAMPLES), 'utf8');
}

interface Server {
  readonly name: string;
  readonly address: string;
  readonly sshPort: number;
}

const SERVERS: readonly Server[] = [
  { name: 'vps1', address: '172.18.0.11', sshPort: 2211 },
  { name: 'vps2', address: '172.18.0.12', sshPort: 2212 },
];

/** The bundle as the unit template wants it: everything of its own is in vps.env. */
async function makeServer(host: Host, { name, address, sshPort }: Server): Promise<HookBundle> {
  const { hooks } = JSON.parse(example('vps-hooks.json')) as { hooks: Record<string, { path: string }[]> };
  const ours = ([stage, listed]: [string, { path: string }[]]) => [
    stage,
    listed.map((hook) => ({ ...hook, path: HOOK })),
  ];
  const bundle = await makeHookBundle(host, name, {
    change: (spec) => {
      spec.hooks = Object.fromEntries(Object.entries(hooks).map(ours));
      spec.root.readonly = false;
    },
  });
  const env = example('vps.env')
    .replace('VPS_NAME=vps1', `VPS_NAME=${name}`)
    .replace('172.18.0.11', address)
    .replace('2211:', `${sshPort}:`);
  host.write(`${bundle.directory}/vps.env`, env);
  return bundle;
}

/** A proxy that reads a name and hands the connection on to whom the map says. */
const PROXY = `#!/bin/sh
read -r name
address=$(sed -n "s/^\\([0-9.]*\\)\\t\\([^#]* \\)*$name[ \\t].*/\\1/p" ${HOST_MAP})
[ -n "$address" ] && exec socat - "TCP4:$address:80"
echo unknown
`;

async function throughProxy(host: Host, name: string): Promise<string> {
  const question = `echo ${name} | socat -t 5 - TCP4:${world.host4}:80`;
  return (await host.outside.must(['sh', '-c', question])).split(' ')[0]?.trim() ?? '';
}

async function startProxy(host: Host): Promise<() => Promise<void>> {
  host.write('/run/proxy', PROXY, 0o755);
  const proxy = host.start(['socat', '-d', '-d', 'TCP4-LISTEN:80,fork,reuseaddr', 'EXEC:/run/proxy']);
  await proxy.until(() => proxy.errors.includes('listening'), 'proxy');
  return () => proxy.stop();
}

const skip = lackingFor('runc', 'busybox', 'socat', 'nft');

test('virtual private servers', { skip }, async (t) => {
  await withRuntimeHost(t, async (host) => {
    host.write('/etc/cni/net.d/20-vps.conflist', example('20-vps.conflist'));
    await serveAll(host.outside);
    const before = await stateOf(host, IGNORED);
    const runtime = new Runtime(host, 'runc');
    const bundles = await Promise.all(SERVERS.map((server) => makeServer(host, server)));
    const places: Place[] = [];
    for (const bundle of bundles) places.push(await runtime.start(bundle));
    const stopProxy = await startProxy(host);
    const services: Background[] = [];
    for (const place of places) {
      services.push(await serve(place, 'tcp', 22, { address: '0.0.0.0' }));
      services.push(await serve(place, 'tcp', 80, { address: '0.0.0.0' }));
    }

    await t.test('each has its address, inside and in its bundle', async (t) => {
      for (const [index, { name, address }] of SERVERS.entries()) {
        t.same(await addressesOf(places[index] as Place, 'eth0'), [`${address}/24`]);
        t.equal(await host.must(['cat', `/run/bundles/${name}/.ip`]), `${address}\n`);
        t.match(await runtime.exec(name, 'cat', '/etc/hosts'), `${address}\t${name}\n`);
        t.equal(await runtime.exec(name, 'cat', '/etc/hostname'), `${name}\n`);
        t.equal(
          await runtime.exec(name, 'cat', '/etc/resolv.conf'),
          'search vps.example.org\nnameserver 9.9.9.9\n',
        );
      }
    });

    await t.test('ssh by its own port, and nothing else from outside', async (t) => {
      for (const { name, sshPort } of SERVERS)
        t.equal((await ask(host.outside, 'tcp', world.host4, sshPort))?.from, name);
      t.equal(await ask(host.outside, 'tcp', world.host4, 2213), undefined);
    });

    await t.test('out behind the address of the host', async (t) => {
      for (const place of places) {
        t.equal((await ask(place, 'tcp', world.internet4, 80))?.peer, world.host4);
      }
    });

    await t.test('a proxy finds each by name', async (t) => {
      for (const { name } of SERVERS) t.equal(await throughProxy(host, name), name);
      t.equal(await throughProxy(host, 'vps3'), 'unknown');
    });

    await t.test('one goes, the other stays', async (t) => {
      await services[0]?.stop();
      await services[1]?.stop();
      await runtime.remove('vps1');
      t.equal(await throughProxy(host, 'vps1'), 'unknown');
      t.equal(await throughProxy(host, 'vps2'), 'vps2');
      t.equal((await ask(host.outside, 'tcp', world.host4, 2212))?.from, 'vps2');
      const again = await runtime.start(bundles[0] as HookBundle);
      t.same(await addressesOf(again, 'eth0'), ['172.18.0.11/24'], 'started again it has the same address');
      t.equal((await readHostMap(host)).length, 2);
    });

    for (const service of services.slice(2)) await service.stop();
    await stopProxy();
    for (const { name } of SERVERS) await runtime.remove(name);
    t.equal(await countResults(host), 0);
    t.same(await stateOf(host, IGNORED), before, 'everything is as before');
  });
});
