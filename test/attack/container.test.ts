/**
 * What a container's root, a machine on the LAN and a local user get when they try: the cells of SECURITY.md that the
 * tests of single parts do not show. Some say that nothing holds; whoever mends that changes the page with the test.
 */
import t from 'tap';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { ask, lacking, serve, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';
import { naming } from '../naming.ts';
import { advertise, advertisedRoutes, linkLocal } from '../kernel/rogue-router.ts';

const skip = lacking() ?? false;
/** How long silence has to last to count. */
const silence = { deadlineMs: 400 };
const QUAY = { ...DUAL_STACK, bridge: 'quay' };
const [GATEWAY4, GATEWAY6] = ['10.77.0.1', 'fd00:77::1'];

for (const ingressPolicy of ['open', 'same-bridge', 'isolated'] as const) {
  t.test(`the host's own services are reached: ${ingressPolicy}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const { place } = await new Network(host, { ...QUAY, ingressPolicy }).container('c1');
      await serve(host, 'tcp', 631);
      await serve(host, 'tcp', 631, { address: '::' });
      await linkLocal(place, 'eth0');
      const own = `${await linkLocal(host, 'quay')}%eth0`;
      for (const address of [GATEWAY4, GATEWAY6, world.host4, world.host6, own])
        t.match(await ask(place, 'tcp', address, 631), { from: 'host' }, `from the container by ${address}`);
      await host.outside.shell(
        `ip route add 10.77.0.0/24 via ${world.host4}; ip -6 route add fd00:77::/64 via ${world.host6}`,
      );
      for (const address of [GATEWAY4, GATEWAY6])
        t.match(await ask(host.outside, 'tcp', address, 631), { from: 'host' }, `from the LAN by ${address}`);
    });
  });
}

async function macOf(place: Place): Promise<string> {
  return String((await place.ip('link', 'show', 'eth0'))[0]?.address);
}

/** Gives `place` another's IPv4 address, and its MAC address where one is given; the host forgets whom it knew. */
async function pose(host: Host, place: Place, address: string, mac = ''): Promise<void> {
  await place.shell(`
    ip link set eth0 down
    ${mac === '' ? '' : `ip link set eth0 address ${mac}`}
    ip address flush dev eth0 scope global
    ip address add ${address}/24 dev eth0
    ip link set eth0 up`);
  await host.shell('ip neighbour flush dev quay');
}

for (const [what, keys, macHeld] of [
  ['by default', {}, false],
  ['ingressPolicy isolated', { ingressPolicy: 'isolated' }, false],
  ['macspoofchk', { macspoofchk: true }, true],
] as const) {
  t.test(`the addresses of a neighbour: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, { ...QUAY, ...keys });
      const victim = await network.container('victim');
      const { place } = await network.container('impostor');
      await serve(host, 'tcp', 631);
      await serve(place, 'tcp', 80, { name: 'impostor' });
      await pose(host, place, victim.ip4);
      t.match(await ask(place, 'tcp', GATEWAY4, 631), { peer: victim.ip4 }, 'its IP address is believed');
      t.match(await ask(host, 'tcp', victim.ip4, 80), { from: 'impostor' }, 'and what is meant for it comes');
      const mac = await macOf(victim.place);
      // With both on the bridge the port that spoke last gets the answers, and which one that is is a matter of luck.
      await victim.place.shell('ip link set eth0 down');
      await pose(host, place, victim.ip4, mac);
      const answer = await ask(place, 'tcp', GATEWAY4, 631, macHeld ? silence : {});
      t.equal(answer?.peer, macHeld ? undefined : victim.ip4, 'with its MAC address as well');
    });
  });
}

t.test('a source address that is nobody’s leaves the host, unless rp_filter is on', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { place } = await new Network(host, QUAY).container('c1');
    const reversePaths = (value: number): Promise<string> =>
      host.shell(`for name in all quay; do echo ${value} > /proc/sys/net/ipv4/conf/$name/rp_filter; done`);
    await place.shell('ip address add 192.0.2.66/32 dev lo');
    const ear = host.outside.start(['tcpdump', '-lnpi', 'wire', 'udp and dst portrange 7000-7002']);
    await ear.until(() => ear.errors.includes('listening'), 'tcpdump');
    const say = (port: number, more = ''): Promise<string> =>
      place.must(['socat', '-u', 'STDIN', `UDP4-SENDTO:${world.internet4}:${port}${more}`], { input: 'x' });
    await reversePaths(0);
    await say(7000, ',bind=192.0.2.66');
    await ear.until(() => ear.output.includes('.7000'), 'the forged packet');
    await reversePaths(1);
    await say(7001, ',bind=192.0.2.66');
    await say(7002);
    await ear.until(() => ear.output.includes('.7002'), 'an honest packet');
    const senders = [...ear.output.matchAll(/IP (\S+)\.\d+ > \S+\.(\d+):/g)].map(([, from, to]) => [
      from,
      to,
    ]);
    t.same(senders, [
      ['192.0.2.66', '7000'],
      [world.host4, '7002'],
    ]);
  });
});

for (const [what, prepare, keys, believed] of [
  ['a bridge of ours', '', {}, false],
  ['a bridge of ours that is no gateway', '', { isGateway: false }, false],
  ['a bridge that a person made', 'ip link add quay type bridge\nip link set quay up', {}, true],
] as const) {
  t.test(`the host and a container that plays router: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await host.shell(`true\n${prepare}`);
      const { place } = await new Network(host, { ...QUAY, ...keys, allowServers: true }).container('rogue');
      await linkLocal(host, 'quay');
      await advertise(place, host, 'quay');
      t.equal((await advertisedRoutes(host)) !== '', believed);
    });
  });
}

t.test('a port that a service of the host has', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await serve(host, 'tcp', 2222);
    await host.container('c1');
    const wish = { ports: [{ hostPort: 2222, containerPort: 80 }] };
    const answer = await new Network(host, QUAY).run('ADD', 'c1', wish);
    t.match(answer.json, { code: 102, msg: naming('2222/tcp', '"socat"') }, 'is refused');
    for (const [who, from, address] of [
      ['the LAN', host.outside, world.host4],
      ['the host itself', host, '127.0.0.1'],
    ] as const)
      t.match(await ask(from, 'tcp', address, 2222), { from: 'host' }, `the service answers to ${who}`);
  });
});

for (const [what, keys, reached] of [
  ['portIsolation', { portIsolation: true }, true],
  ['ingressPolicy isolated', { ingressPolicy: 'isolated' }, false],
  ['both', { portIsolation: true, ingressPolicy: 'isolated' }, false],
] as const) {
  t.test(`two containers that meet by way of the host: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, { ...QUAY, ...keys });
      const c1 = await network.container('c1');
      const c2 = await network.container('c2');
      await serve(c1.place, 'tcp', 80);
      await serve(c1.place, 'tcp', 80, { address: '::' });
      for (const address of [c1.ip4, c1.ip6])
        t.equal(await ask(c2.place, 'tcp', address, 80, silence), undefined, `directly: ${address}`);
      const detour = (place: Place, to: typeof c1): Promise<string> =>
        place.shell(`ip route add ${to.ip4} via ${GATEWAY4}\nip -6 route add ${to.ip6} via ${GATEWAY6}`);
      await detour(c1.place, c2);
      await detour(c2.place, c1);
      for (const address of [c1.ip4, c1.ip6]) {
        const answer = await ask(c2.place, 'tcp', address, 80, reached ? {} : silence);
        t.equal(answer?.from, reached ? 'c1' : undefined, `by way of the gateway: ${address}`);
      }
    });
  });
}

t.test('a local user without privileges', { skip }, async (t) => {
  await withHost(t, async (host) => {
    // The machine's own may show through, made by who knows whom.
    await host.shell('rm -rf /var/lib/cni/netmoor');
    const published = { ports: [{ hostPort: 8080, containerPort: 80 }] };
    const network = new Network(host, QUAY);
    const c1 = await network.container('c1', published);
    const user = (...argv: string[]) =>
      host.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...argv]);
    const store = '/var/lib/cni/netmoor';
    for (const argv of [
      ['cat', `${store}/leases.db`],
      ['ls', store],
      ['touch', `${store}/leases.db-journal`],
      ['touch', '/run/netmoor/stores/mine'],
      ['nft', 'list', 'table', 'inet', 'netmoor'],
      ['ip', 'link', 'delete', 'quay'],
    ])
      t.not((await user(...argv)).code, 0, argv.join(' '));
    for (const verb of ['ls', 'leases', 'gc', 'detach'])
      t.not((await user(`${OWN_PLUGINS}/netmoor`, verb, ...(verb === 'detach' ? ['c1'] : []))).code, 0, verb);
    t.equal(await network.check('c1', c1.result, published), undefined, 'all is as it was');
    await serve(c1.place, 'tcp', 80);
    const fetched = await user('socat', '-u', 'TCP4:127.0.0.1:8080', 'STDOUT');
    t.ok(fetched.stdout.startsWith('c1 '), 'published ports are for everybody on the host');
  });
});
