/**
 * netmoor-hook under the real runtimes: what a container has from its first instruction on, and what is left of it at
 * the end.
 */
import { t, test } from 'tap';
import { ask, serve, world } from '../kernel/harness.ts';
import {
  countResults,
  HOOK_FILES,
  makeHookBundle,
  readHostMap,
  readLog,
  Runtime,
  untilFile,
  withRuntimeHost,
} from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { stateOf } from './states.ts';
import { addressesOf, reachesOutside, serveAll } from './traffic.ts';
import { naming } from '../naming.ts';

t.setTimeout(300_000);

/** How many processes of the hook had something to log. */
function callsIn(log: string): number {
  return new Set(log.match(/netmoor-hook\[\d+\]/g)).size;
}

for (const name of ['runc', 'crun']) {
  const skip = lackingFor(name, 'runc', 'busybox', 'socat', 'nft');

  test(`${name}: the default network, from the first instruction to the end`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, HOOK_FILES);
      const look = 'ip -o address show eth0; ip route; ip -6 route; ip -o link show lo';
      const bundle = await makeHookBundle(host, 'c1', { command: ['/bin/sh', '-c', look] });
      const { code, stdout, stderr } = await runtime.run(bundle);
      t.equal(code, 0, stderr);
      t.match(stdout, /inet \d+\.\d+\.\d+\.\d+\/\d+/, 'an IPv4 address');
      t.match(stdout, /inet6 f[cd][0-9a-f:]+\/64 .*scope global/, 'an IPv6 address');
      t.notMatch(stdout, /tentative/, 'which can be used at once');
      t.match(stdout, /default via \d+\./, 'a way out');
      t.match(stdout, /default via f[cd]/, 'a way out over IPv6');
      t.match(stdout, /<LOOPBACK,UP/, 'lo is up');
      t.equal(await countResults(host), 0, 'nothing is attached any more');
      t.same(await readHostMap(host), []);
      t.same(await stateOf(host, HOOK_FILES), before, 'everything is as before');
      const lines = (await readLog(host)).trimEnd().split('\n');
      const line = naming('c1', 'netmoor', 'eth0');
      t.match(lines, [line, line], 'the log names who was attached to what, and detached');
      t.equal(lines.length, 2);
    });
  });

  test(`${name}: two containers, a published port, the map of names`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      await serveAll(host.outside);
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, HOOK_FILES);
      const annotations = { 'netmoor/ports': '8080:80/tcp', 'netmoor/hostname': 'web.example.org' };
      const web = await runtime.start(await makeHookBundle(host, 'c1', { annotations }));
      const other = await runtime.start(await makeHookBundle(host, 'c2'));
      const server = await serve(web, 'tcp', 80, { address: '0.0.0.0' });
      const [address = ''] = (await addressesOf(web, 'eth0')).map((each) => each.replace(/\/.*/, ''));
      t.equal((await ask(other, 'tcp', address, 80))?.from, 'c1', 'container to container');
      t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1', 'from outside');
      await reachesOutside(t, other);
      const names = await readHostMap(host);
      t.same(
        names.filter((line) => line[0] === address),
        [[address, 'web.example.org', 'c1']],
      );
      t.equal(names.filter((line) => line.includes('c2')).length, 2, 'both addresses of c2');
      await server.stop();
      await runtime.remove('c1');
      t.notOk(
        (await readHostMap(host)).some((line) => line.includes('c1')),
        'its name went with it',
      );
      await runtime.remove('c2');
      t.same(await stateOf(host, HOOK_FILES), before, 'everything is as before');
    });
  });

  test(`${name}: listed twice, it attaches once`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const bundle = await makeHookBundle(host, 'c1', {
        stages: ['prestart', 'createRuntime', 'poststart', 'poststop'],
      });
      const place = await runtime.start(bundle);
      t.equal((await addressesOf(place, 'eth0')).length, 2);
      t.same(
        (await place.ip('link', 'show')).map((link) => link.ifname),
        ['lo', 'eth0'],
      );
      t.equal(await countResults(host), 1);
      t.ok(callsIn(await readLog(host)) >= 2, 'the hook was called for each');
      await runtime.remove('c1');
      t.equal(await countResults(host), 0);
    });
  });

  test(`${name}: a container of the same id again`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, HOOK_FILES);
      const bundle = await makeHookBundle(host, 'c1', { annotations: { 'netmoor/ports': '8080:80' } });
      for (const round of [1, 2, 3]) {
        const place = await runtime.start(bundle);
        t.equal((await addressesOf(place, 'eth0')).length, 2, `round ${round}`);
        const server = await serve(place, 'tcp', 80, { address: '0.0.0.0' });
        t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1');
        await server.stop();
        await runtime.remove('c1');
      }
      t.same(await stateOf(host, HOOK_FILES), before);
    });
  });

  test(`${name}: twenty containers at once`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, HOOK_FILES);
      const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
      const bundles = await Promise.all(ids.map((id) => makeHookBundle(host, id)));
      const places = await Promise.all(bundles.map((bundle) => runtime.start(bundle)));
      const addresses = (await Promise.all(places.map((place) => addressesOf(place, 'eth0')))).flat();
      t.equal(addresses.length, 40, 'two addresses each');
      t.equal(new Set(addresses).size, 40, 'no two the same');
      const map = await readHostMap(host);
      t.equal(map.length, 40);
      t.same(new Set(map.map(([, id]) => id)), new Set(ids), 'all are in the map');
      await Promise.all(ids.map((id) => runtime.remove(id)));
      t.same(await readHostMap(host), []);
      t.same(await stateOf(host, HOOK_FILES), before);
    });
  });
}

const skipRunc = lackingFor('runc', 'busybox', 'nft');

test('runc calls the hook twice when the container has no mount namespace', { skip: skipRunc }, async (t) => {
  await withRuntimeHost(t, async (host) => {
    const runtime = new Runtime(host, 'runc');
    const shared = ['mount', 'pid', 'ipc', 'uts'];
    const bundle = await makeHookBundle(host, 'c1', {
      change: (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => !shared.includes(type));
        spec.mounts = [];
        spec.root.readonly = false;
        Object.assign(spec.linux, { maskedPaths: [], readonlyPaths: [] });
        Object.assign(spec, { hostname: '' });
      },
    });
    await host.must(['mount', '-t', 'proc', 'proc', `${bundle.rootfs}/proc`]);
    const place = await runtime.start(bundle);
    t.equal((await addressesOf(place, 'eth0')).length, 2);
    t.equal(callsIn(await readLog(host)), 2);
    t.equal(await countResults(host), 1);
    await runtime.remove('c1');
    t.equal(await countResults(host), 0);
  });
});

test('where a syslog listens, it gets the log', {
  skip: lackingFor('runc', 'busybox', 'socat'),
}, async (t) => {
  await withRuntimeHost(t, async (host) => {
    const socket = '/run/systemd/journal/dev-log';
    await host.must(['mkdir', '-p', '/run/systemd/journal']);
    const syslog = host.start(['socat', '-u', '-d', '-d', `UNIX-RECV:${socket}`, 'STDOUT']);
    await untilFile(host, socket);
    const runtime = new Runtime(host, 'runc');
    await runtime.run(await makeHookBundle(host, 'c1', { command: ['/bin/true'] }));
    const wrong = await makeHookBundle(host, 'c2', { annotations: { 'netmoor/networks': 'none' } });
    await runtime.run(wrong);
    await syslog.until(() => syslog.output.includes('c2'), 'the failure is logged');
    t.match(syslog.output, /<30>netmoor-hook\[\d+\]: c1 .*netmoor eth0 /);
    t.match(syslog.output, /<27>netmoor-hook\[\d+\]: c2: error 7: .*"none"/);
    t.equal(await readLog(host), '', 'and no file does');
    await syslog.stop();
  });
});
