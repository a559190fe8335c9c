/** netmoor-hook gives OCI containers a macvlan on a LAN, under runc and crun. */
import { t, test } from 'tap';
import type { Test } from 'tap';
import { ask, serve, until, world } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { naming } from '../naming.ts';
import {
  HOOK_FILES,
  PREPARE,
  Runtime,
  countResults,
  makeHookBundle,
  readHostMap,
  readLog,
} from './hook-bundle.ts';
import { networks, own, writeConflist } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import {
  POOL4,
  RDNSS,
  defaultRoutes,
  leasedBy,
  macOf,
  slaacOf,
  untilNoMacvlan,
  withLanHost,
  writeLan,
} from './macvlan-bed.ts';
import { makeRootfs } from './rootfs.ts';
import { stateOf } from './states.ts';
import { addressesOf, reachesOutside, serveAll } from './traffic.ts';

t.setTimeout(300_000);

/** A link-local name server, which only this interface leads to, beside another. */
const RADVD = `prefix 2001:db8:50::/64 {}; RDNSS fe80::1 ${RDNSS} {}; DNSSL lan.example {};`;

for (const name of ['runc', 'crun']) {
  const skip = lackingFor(name, 'runc', 'busybox', 'socat', 'radvd', 'tcpdump', 'nft');

  test(`${name}: containers on a LAN`, { skip }, async (t) => {
    await withLanHost(
      t,
      async ({ host, peer }) => {
        await makeRootfs(host);
        await serveAll(host.outside);
        writeLan(host, 'lan');
        writeLan(host, 'dual', { ipam: { ...POOL4, routes: [{ dst: '0.0.0.0/0' }] } });
        writeConflist(host, own, networks.net1);
        const runtime = new Runtime(host, name);
        const before = await stateOf(host, HOOK_FILES);
        const asBefore = async (t: Test): Promise<void> => {
          t.equal(await countResults(host), 0);
          t.same(await readHostMap(host), []);
          await untilNoMacvlan(host);
          t.same(await stateOf(host, HOOK_FILES), before, 'everything is as before');
        };

        await t.test('the files of a container, and who knows it', async (t) => {
          const bundle = await makeHookBundle(host, 'c1', {
            annotations: { 'netmoor/networks': 'lan', 'netmoor/hostname': 'web', 'netmoor/ip-file': '.ip' },
            flags: ['--files', 'resolv.conf,hosts'],
          });
          const place = await runtime.start(bundle);
          const address = slaacOf(await macOf(place, 'eth0'));
          t.same(await addressesOf(place, 'eth0'), [`${address}/64`]);
          t.ok(await peer.pings(address), 'a peer reaches it');
          t.equal(
            await runtime.exec('c1', 'cat', '/etc/resolv.conf'),
            `search lan.example\nnameserver fe80::1%eth0\nnameserver ${RDNSS}\n`,
          );
          t.match(await runtime.exec('c1', 'cat', '/etc/hosts'), naming(`${address}\tweb`));
          t.same(await readHostMap(host), [[address, 'web', 'c1']]);
          t.equal(await host.must(['cat', `${bundle.directory}/.ip`]), `${address}\n`);
          await runtime.remove('c1');
          await asBefore(t);
          const again = await runtime.start(bundle);
          t.equal(slaacOf(await macOf(again, 'eth0')), address, 'the same address when it comes again');
          await runtime.remove('c1');
          await asBefore(t);
        });

        await t.test('from its first instruction to its end', async (t) => {
          const server = await serve(peer.place, 'tcp', 80, { address: '::' });
          const look = `ip -o address show dev eth0 scope global; nc -w 5 ${lanWorld.prefix6}9 80 < /dev/null`;
          const command = ['/bin/sh', '-c', look];
          const annotations = { 'netmoor/networks': 'dual:ip=192.0.2.140;ip=2001:db8:50::77' };
          const { code, stdout, stderr } = await runtime.run(
            await makeHookBundle(host, 'c2', { command, annotations }),
          );
          t.equal(code, 0, stderr);
          const from = `peer [2001:0db8:0050:0000:0000:0000:0000:0077]`;
          t.match(stdout, naming('192.0.2.140/24', `${lanWorld.prefix6}77/64`, from));
          await server.stop();
          t.same(await leasedBy(host), []);
          await asBefore(t);
        });

        await t.test('beside a bridge: the first network has the way out', async (t) => {
          const annotations = { 'netmoor/networks': 'net1:port=8080:80,lan' };
          const place = await runtime.start(await makeHookBundle(host, 'c3', { annotations }));
          t.same(await defaultRoutes(place, '-6'), ['fd71::1 eth0', `${lanWorld.routerLinkLocal} eth1`]);
          await reachesOutside(t, place);
          t.ok(await peer.pings(slaacOf(await macOf(place, 'eth1'))), 'a peer reaches it');
          const stop = await serveAll(place);
          t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c3');
          await stop();
          await runtime.remove('c3');
          const other = { 'netmoor/networks': 'lan,net1' };
          const turned = await runtime.start(await makeHookBundle(host, 'c4', { annotations: other }));
          t.same(await defaultRoutes(turned, '-6'), [`${lanWorld.routerLinkLocal} eth0`, 'fd71::1 eth1']);
          await runtime.remove('c4');
          await asBefore(t);
        });

        await t.test('what the network cannot do is told', async (t) => {
          const failing = [
            [{ 'netmoor/networks': 'lan', 'netmoor/ports': '8080:80' }, ['lan', 'portMappings']],
            [{ 'netmoor/networks': 'lan:ip=192.0.2.7' }, ['192.0.2.7', '192.0.2.7/24']],
            [{ 'netmoor/networks': 'lan:ip=fd00::7' }, ['fd00::7', `${lanWorld.prefix6}7`]],
          ] as const;
          for (const [annotations, words] of failing) {
            const { code } = await runtime.run(await makeHookBundle(host, 'c5', { annotations }));
            t.not(code, 0);
            const told = naming(...words);
            await until(async () => told.test(await readLog(host)), `the log names ${words.join(', ')}`);
          }
          await asBefore(t);
        });
      },
      { prepare: PREPARE, radvd: RADVD },
    );
  });
}
