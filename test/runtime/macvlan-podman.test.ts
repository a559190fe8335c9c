/**
 * podman 4.3 with `network_backend = "cni"` and containers on a LAN by macvlan-v6.
 */
import { t, test } from 'tap';
import type { Test } from 'tap';
import { networks, own, writeConflist } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import {
  POOL4,
  RDNSS,
  defaultMetrics,
  defaultRoutes,
  leasedBy,
  macOf,
  slaacOf,
  untilNoMacvlan,
  withLanHost,
  writeLan,
} from './macvlan-bed.ts';
import type { MacvlanBed } from './macvlan-bed.ts';
import { PODMAN_FILES, Podman } from './podman.ts';
import { stateOf } from './states.ts';
import { addressesOf, reachesOutside, serveAll } from './traffic.ts';
import { ask, until, world as world4 } from '../kernel/harness.ts';
import type { Place } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lackingFor('podman', 'conmon', 'runc', 'busybox', 'socat', 'radvd', 'tcpdump', 'nft');
const IMAGE = 'localhost/busybox:1';

interface World extends MacvlanBed {
  readonly podman: Podman;
}

async function listed(t: Test, { podman }: World): Promise<void> {
  const lines = await podman.must('network', 'ls', '--format', '{{.Name}} {{.Driver}}');
  t.match(lines.split('\n'), [
    'dual macvlan-v6',
    'lan macvlan-v6',
    'net1 bridge-nat',
    'podman bridge',
    'theirs macvlan-v6',
  ]);
  t.match(JSON.parse(await podman.must('network', 'inspect', 'lan', 'dual')), [
    { name: 'lan', driver: 'macvlan-v6' },
    { name: 'dual', driver: 'macvlan-v6' },
  ]);
}

/** What podman, the container and a peer say of it. */
async function isOnLan(t: Test, { podman, peer }: World, name: string, place: Place): Promise<string> {
  const mac = await macOf(place, 'eth0');
  const address = slaacOf(mac);
  t.ok((await addressesOf(place, 'eth0')).includes(`${address}/64`), `${name} has its address`);
  t.ok(await peer.pings(address), 'a peer reaches it');
  t.same(await defaultRoutes(place, '-6'), [`${lanWorld.routerLinkLocal} eth0`]);
  const [seen] = Object.values((await podman.inspect(name)).NetworkSettings.Networks);
  t.match(seen, { GlobalIPv6Address: address, MacAddress: mac, IPv6Gateway: lanWorld.routerLinkLocal });
  const resolv = await podman.must('exec', name, 'cat', '/etc/resolv.conf');
  t.match(resolv, /^search lan\.example$/m);
  t.equal(/^nameserver (.*)$/m.exec(resolv)?.[1], RDNSS, "the router's name server is the first");
  return address;
}

async function keepsAddress(t: Test, world: World): Promise<void> {
  const { podman, host } = world;
  const first = await isOnLan(t, world, 'c1', await podman.container('c1', '--network', 'lan'));
  const placeNow = async () => host.at((await podman.inspect('c1')).NetworkSettings.SandboxKey, 'c1');
  await podman.must('restart', '--time', '0', 'c1');
  t.equal(await isOnLan(t, world, 'c1', await placeNow()), first, 'restarted');
  await podman.must('network', 'reload', 'c1');
  t.equal(await isOnLan(t, world, 'c1', await placeNow()), first, 'reloaded');
  await podman.remove('c1');
  const again = await podman.container('c1', '--network', 'lan');
  t.equal(await isOnLan(t, world, 'c1', again), first, 'another container of the same name');
  const other = await podman.container('c2', '--network', 'lan');
  const second = await isOnLan(t, world, 'c2', other);
  t.not(second, first);
  const stop = await serveAll(other);
  t.equal((await ask(again, 'tcp', second, 80))?.from, 'c2', 'container to container');
  await stop();
  t.match(await podman.must('exec', 'c2', 'cat', '/etc/hosts'), naming(second));
  await podman.remove('c1');
  await podman.remove('c2');
}

async function dualStack(t: Test, world: World): Promise<void> {
  const { podman, host, peer } = world;
  const place = await podman.container('c3', '--network', 'dual', '--ip', '192.0.2.150');
  const address = slaacOf(await macOf(place, 'eth0'));
  t.same(await addressesOf(place, 'eth0'), ['192.0.2.150/24', `${address}/64`]);
  t.match((await podman.inspect('c3')).NetworkSettings.Networks['dual'], {
    IPAddress: '192.0.2.150',
    Gateway: lanWorld.router4,
    GlobalIPv6Address: address,
  });
  t.same(await defaultRoutes(place, '-4'), [`${lanWorld.router4} eth0`]);
  for (const each of ['192.0.2.150', address]) t.ok(await peer.pings(each), `a peer reaches ${each}`);
  t.same(await leasedBy(host), ['192.0.2.150/24'], 'what routers give is no lease');
  const taken = await podman.run('run', '--rm', '--network', 'dual', '--ip', '192.0.2.150', IMAGE, 'true');
  t.not(taken.code, 0, 'the same address a second time is refused');
  await podman.remove('c3');
  const [mac, free] = ['02:11:22:33:44:55', '192.0.2.151'];
  const chosen = await podman.container('c4', '--network', 'dual', '--mac-address', mac, '--ip', free);
  t.equal(await macOf(chosen, 'eth0'), mac);
  t.same(await addressesOf(chosen, 'eth0'), [`${free}/24`, '2001:db8:50:0:11:22ff:fe33:4455/64']);
  t.equal((await podman.inspect('c4')).NetworkSettings.Networks['dual']?.MacAddress, mac);
  await podman.remove('c4');
}

/** podman attaches networks in any order: whichever comes first has the way out over IPv6, always the same one. */
async function besideBridge(t: Test, world: World): Promise<void> {
  const { podman, peer, host } = world;
  const place = await podman.container('c5', '--network', 'lan,net1', '-p', '8080:80');
  const mac = (await podman.inspect('c5')).NetworkSettings.Networks['lan']?.MacAddress ?? '';
  const works = async (what: string): Promise<void> => {
    const metrics = await defaultMetrics(place);
    t.equal(new Set(metrics).size, 2, `${what}: two default routes of different metrics`);
    t.equal((await ask(place, 'tcp', world4.internet4, 80))?.peer, world4.host4, `${what}: out by NAT`);
    t.ok(await peer.pings(slaacOf(mac)), `${what}: a peer reaches it`);
    t.equal(
      (await ask(host.outside, 'tcp', world4.host4, 8080))?.from,
      'c5',
      `${what}: published by the bridge`,
    );
  };
  const stop = await serveAll(place);
  await works('both');
  await podman.must('network', 'disconnect', 'lan', 'c5');
  await reachesOutside(t, place);
  t.notOk(await peer.pings(slaacOf(mac), 1000), 'disconnected from the LAN');
  await podman.must('network', 'connect', 'lan', 'c5');
  await works('connected again');
  await podman.must('network', 'disconnect', 'net1', 'c5');
  t.ok(await peer.pings(slaacOf(mac)), 'the LAN alone');
  await podman.must('network', 'connect', 'net1', 'c5');
  await works('with the bridge again');
  await stop();
  await podman.remove('c5');
}

/** IPv4 of the reference's IPAM plugin, IPv6 of the router: each is asked for its own. */
async function otherIpam(t: Test, { podman, peer, host }: World): Promise<void> {
  const place = await podman.container('c9', '--network', 'theirs', '--ip', '192.0.2.220');
  const addresses = ['192.0.2.220/24', `${slaacOf(await macOf(place, 'eth0'))}/64`];
  t.same(await addressesOf(place, 'eth0'), addresses);
  await podman.must('network', 'reload', 'c9');
  t.same(await addressesOf(place, 'eth0'), addresses);
  for (const each of addresses) t.ok(await peer.pings(each.replace(/\/.*/, '')), `a peer reaches ${each}`);
  await podman.remove('c9');
  t.equal((await host.run(['test', '-e', '/var/lib/cni/networks/theirs/192.0.2.220'])).code, 1);
}

/** An address of the store's ranges stays with a name that it is reserved for. */
async function reserved(t: Test, { podman, host }: World): Promise<void> {
  await podman.container('mail', '--network', 'dual');
  const now = async () =>
    addressesOf(host.at((await podman.inspect('mail')).NetworkSettings.SandboxKey), 'eth0');
  const first = await now();
  t.equal(first[0], '192.0.2.101/24');
  await podman.must('restart', '--time', '0', 'mail');
  t.same(await now(), first);
  await podman.remove('mail');
}

/** Without the capability libcni keeps the ports to itself. */
async function noPorts(t: Test, world: World): Promise<void> {
  const { podman, host } = world;
  const place = await podman.container('c6', '--network', 'lan', '-p', '8080:80');
  await isOnLan(t, world, 'c6', place);
  t.same((await asked(host, 'ls')).view[0]?.ports, []);
  await podman.remove('c6');
  writeLan(host, 'ports', { capabilities: { portMappings: true } });
  const run = ['run', '--rm', '--network', 'ports', '--cgroup-parent', host.id];
  const refused = await podman.run(...run, '-p', '8080:80', IMAGE, 'true');
  t.match(refused, { code: 126, stderr: naming('ports', 'its own address') });
  t.match(await podman.run(...run, IMAGE, 'true'), { code: 0 });
  await host.must(['rm', '/etc/cni/net.d/20-ports.conflist']);
}

/** `--ip6` chooses the lower half of an address by router advertisements. */
async function chosenIdentifier(t: Test, { podman, peer, host }: World): Promise<void> {
  const run = ['--network', 'lan', '--ip6'];
  const place = await podman.container('c7', ...run, `${lanWorld.prefix6}77`);
  t.same(await addressesOf(place, 'eth0'), [`${lanWorld.prefix6}77/64`]);
  t.ok(await peer.pings(`${lanWorld.prefix6}77`));
  await podman.must('network', 'reload', 'c7');
  t.same(await addressesOf(place, 'eth0'), [`${lanWorld.prefix6}77/64`]);
  // As long as nobody is sure of it, either of two would lose it (RFC 4862, section 5.4.3).
  await until(async () => (await place.shell('ip -6 address show tentative')) === '', 'detection has ended');
  const other = ['run', '--rm', '--cgroup-parent', host.id, '--name', 'c8', ...run];
  t.not((await podman.run(...other, `${lanWorld.prefix6}77`, IMAGE, 'true')).code, 0, 'somebody has it');
  const foreign = await podman.run(...other, 'fd00:99::7', IMAGE, 'true');
  t.match(foreign, { code: 126, stderr: naming('fd00:99::7', `${lanWorld.prefix6}7`) });
  await podman.remove('c7');
}

test('podman on a LAN', { skip }, async (t) => {
  await withLanHost(t, async (bed) => {
    const { host } = bed;
    writeLan(host, 'lan');
    const routes = [{ dst: '0.0.0.0/0' }];
    writeLan(host, 'dual', { ipam: { ...POOL4, routes, reservations: { mail: ['192.0.2.101'] } } });
    writeConflist(host, own, networks.net1);
    const ranges = [[{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.220' }]];
    writeLan(host, 'theirs', { ipam: { type: 'host-local', ranges } });
    const podman = await Podman.start(host);
    await serveAll(host.outside);
    const world = { ...bed, podman };
    const before = await stateOf(host, PODMAN_FILES);
    await t.test('network ls and inspect', (t) => listed(t, world));
    await t.test('an address that stays', (t) => keepsAddress(t, world));
    await t.test('dual stack, chosen addresses', (t) => dualStack(t, world));
    await t.test('addresses of another IPAM plugin', (t) => otherIpam(t, world));
    await t.test('a reserved address', (t) => reserved(t, world));
    await t.test('beside a bridge', (t) => besideBridge(t, world));
    await t.test('ports', (t) => noPorts(t, world));
    await t.test('a chosen address of a LAN with routers', (t) => chosenIdentifier(t, world));
    t.same((await asked(host, 'ls')).view, []);
    await untilNoMacvlan(host);
    t.same(await stateOf(host, PODMAN_FILES), before, 'everything is as before');
  });
});

/** What most routers for the home announce; podman refuses a result whose name server has a zone. */
test("podman where the router's name server is its link-local address", { skip }, async (t) => {
  const radvd = 'prefix 2001:db8:50::/64 {}; RDNSS fe80::1 2001:db8:50::53 {};';
  await withLanHost(
    t,
    async ({ host, peer }) => {
      writeLan(host, 'lan');
      const podman = await Podman.start(host);
      const place = await podman.container('c1', '--network', 'lan');
      t.ok(await peer.pings(slaacOf(await macOf(place, 'eth0'))));
      t.match(
        await podman.must('exec', 'c1', 'cat', '/etc/resolv.conf'),
        new RegExp(`^nameserver ${RDNSS}$`, 'm'),
      );
      await podman.remove('c1');
    },
    { radvd },
  );
});
