/**
 * podman 4.3 with `network_backend = "cni"`: what its users do with a network, from `podman network ls` to `podman rm`.
 */
import { t, test } from 'tap';
import type { Test } from 'tap';
import { flavours, networks, writeConflist } from './flavours.ts';
import type { Flavour } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import { PODMAN_FILES, Podman } from './podman.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { isNotPublished, isPublished, isPublishedTcp, reachesOutside, serveAll } from './traffic.ts';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lackingFor('podman', 'conmon', 'runc', 'busybox', 'socat', 'nft');

async function published(t: Test, flavour: Flavour, host: Host, podman: Podman): Promise<void> {
  const container = await podman.container('c1', '--network', 'net1', '-p', '8080:80', '-p', '5353:53/udp');
  const stopServers = await serveAll(container);
  await flavour.settled(host);
  await reachesOutside(t, container);
  await isPublished(t, host, 'c1');
  const holders = await host.must(['ss', '-Hltunp', 'sport = :8080 or sport = :5353']);
  t.match(holders, /tcp.*:8080 .*"conmon"/, 'podman itself has the port');
  t.match(holders, /udp.*:5353 .*"conmon"/);
  await podman.must('network', 'reload', 'c1');
  await flavour.settled(host);
  await reachesOutside(t, container);
  await isPublished(t, host, 'c1');
  t.match(await podman.must('port', 'c1'), '80/tcp -> 0.0.0.0:8080');
  await stopServers();
  await podman.remove('c1');
  await isNotPublished(t, host);
}

async function chosenAddress(t: Test, podman: Podman): Promise<void> {
  const mac = '02:11:22:33:44:55';
  const container = await podman.container(
    'c2',
    '--network',
    'net1',
    '--ip',
    '10.71.0.77',
    '--mac-address',
    mac,
  );
  const seen = (await podman.inspect('c2')).NetworkSettings.Networks['net1'];
  t.equal(seen?.IPAddress, '10.71.0.77');
  t.equal(seen?.MacAddress, mac);
  t.equal(seen?.Gateway, '10.71.0.1');
  const [link] = await container.ip('address', 'show', 'dev', 'eth0');
  t.equal(link?.address, mac);
  t.ok(link?.addr_info?.some((address) => address.local === '10.71.0.77' && address.prefixlen === 24));
  const second = await podman.run(
    'run',
    '--rm',
    '--network',
    'net1',
    '--ip',
    '10.71.0.77',
    'localhost/busybox:1',
    'true',
  );
  t.not(second.code, 0, 'the same address a second time is refused');
  await podman.remove('c2');
}

async function twoNetworks(t: Test, flavour: Flavour, host: Host, podman: Podman): Promise<void> {
  const container = await podman.container('c3', '--network', 'net1,net2');
  const both = (await podman.inspect('c3')).NetworkSettings.Networks;
  t.match(both['net1']?.IPAddress, /^10\.71\.0\./);
  t.match(both['net2']?.IPAddress, /^10\.72\.0\./);
  t.match(both['net2']?.GlobalIPv6Address, /^fd72::/);
  const links = (await container.ip('link', 'show')).map((link) => link.ifname);
  t.same(links.sort(), ['eth0', 'eth1', 'lo']);
  await flavour.settled(host);
  await reachesOutside(t, container);
  await podman.must('network', 'disconnect', 'net2', 'c3');
  t.same((await container.ip('link', 'show')).length, 2, 'disconnected from one');
  await podman.must('network', 'connect', 'net2', 'c3');
  t.same((await container.ip('link', 'show')).length, 3, 'connected again');
  await flavour.settled(host);
  await reachesOutside(t, container);
  await podman.remove('c3');
}

/** podman hands the published ports to every network: whichever of them is left serves them. */
async function publishedThroughTwo(t: Test, flavour: Flavour, host: Host, podman: Podman): Promise<void> {
  const container = await podman.container('c5', '--network', 'net1,net2', '-p', '8080:80');
  const stopServers = await serveAll(container);
  await flavour.settled(host);
  await isPublishedTcp(t, host, 'c5');
  await podman.must('network', 'disconnect', 'net2', 'c5');
  await isPublishedTcp(t, host, 'c5');
  await podman.must('network', 'connect', 'net2', 'c5');
  await podman.must('network', 'disconnect', 'net1', 'c5');
  await flavour.settled(host);
  await isPublishedTcp(t, host, 'c5');
  await stopServers();
  await podman.remove('c5');
}

/** The same port on a network that does not take the capability is told, as podman does not. */
async function takenAndLost(t: Test, flavour: Flavour, host: Host, podman: Podman): Promise<void> {
  const ours = flavour.type === 'bridge-nat';
  const server = await serve(host, 'tcp', 9090);
  const refused = await podman.run(
    'run',
    '--rm',
    '--network',
    'net1',
    '-p',
    '9090:80',
    'localhost/busybox:1',
    'true',
  );
  t.not(refused.code, 0, 'a port of a service of the host');
  if (ours) t.match(refused.stderr, naming('9090/tcp', 'socat'));
  t.match(await ask(host.outside, 'tcp', world.host4, 9090), { from: 'host' });
  await server.stop();
  if (!ours) return;
  writeConflist(host, flavour, { ...networks.net1, publishes: false });
  await podman.container('c6', '--network', 'net1', '-p', '8080:80');
  const check = await host.run([`${OWN_PLUGINS}/netmoor`, 'check']);
  t.match([check.code, check.stdout], [1, naming('tcp 8080 -> 80', 'net1', 'portMappings')]);
  writeConflist(host, flavour, networks.net1);
  await podman.remove('c6');
}

async function stopAndStart(t: Test, host: Host, podman: Podman): Promise<void> {
  await podman.container('c4', '--network', 'net1', '-p', '8080:80', '-p', '5353:53/udp');
  await podman.must('stop', '--time', '0', 'c4');
  await podman.must('start', 'c4');
  const again = host.at((await podman.inspect('c4')).NetworkSettings.SandboxKey, 'c4');
  const stopServers = await serveAll(again);
  await isPublished(t, host, 'c4');
  await stopServers();
  await podman.remove('c4');
}

async function listed(t: Test, flavour: Flavour, podman: Podman): Promise<void> {
  const format = '{{.Name}} {{.Driver}}';
  const lines = (await podman.must('network', 'ls', '--format', format)).trim().split('\n').sort();
  t.same(
    lines,
    [`net1 ${flavour.type}`, `net2 ${flavour.type}`, 'podman bridge'],
    'with the default one, built in',
  );
  const [inspected] = JSON.parse(await podman.must('network', 'inspect', 'net1')) as Record<
    string,
    unknown
  >[];
  t.match(inspected, { name: 'net1', driver: flavour.type });
}

for (const flavour of flavours()) {
  test(`podman with ${flavour.name}`, { skip }, async (t) => {
    await withForwardingHost(t, async (host) => {
      writeConflist(host, flavour, networks.net1);
      writeConflist(host, flavour, networks.net2);
      const podman = await Podman.start(host);
      await serveAll(host.outside);
      await t.test('network ls and inspect', (t) => listed(t, flavour, podman));
      const before = await stateOf(host, PODMAN_FILES);
      await t.test('published ports, reload', (t) => published(t, flavour, host, podman));
      await t.test('chosen address and MAC', (t) => chosenAddress(t, podman));
      await t.test('two networks, connect and disconnect', (t) => twoNetworks(t, flavour, host, podman));
      await t.test('published through two networks', (t) => publishedThroughTwo(t, flavour, host, podman));
      await t.test('ports taken, ports lost', (t) => takenAndLost(t, flavour, host, podman));
      await t.test('stop and start', (t) => stopAndStart(t, host, podman));
      t.equal(await flavour.held(host), 0, 'no address is held');
      if (flavour.exact) t.same(await stateOf(host, PODMAN_FILES), before, 'everything is as before');
    });
  });
}
