/** Attacks on the host's loopback by way of what publishing on 127.0.0.1 needs (CVE-2020-8558 and its relatives). */
import t from 'tap';
import { ask, lacking, serve, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';

const skip = lacking() ?? false;
/** How long silence has to last to count. */
const silence = { deadlineMs: 400 };
const PUBLISHED = { ports: [{ hostPort: 8080, containerPort: 80 }] };

/** Somebody else's port of the bridge, as a virtual machine's tap is, that sends packets for 127/8 to the host. */
async function intruder(host: Host, bridge: string): Promise<Place> {
  const place = await host.container('vm');
  await host.shell(`
    ip link add vmtap type veth peer name eth0 netns vm
    ip link set vmtap master ${bridge} up
    ip -n vm link set eth0 up
    ip -n vm address add 10.77.0.99/24 dev eth0`);
  await reachLoopback(place, host, 'eth0', '10.77.0.1', bridge);
  return place;
}

/** From `place` 127.0.0.9 leads to the host, as whoever is root there can have it; 127.0.0.1 stays its own. */
async function reachLoopback(
  place: Place,
  host: Host,
  ifname: string,
  gateway: string,
  hostIfname: string,
): Promise<void> {
  const mac = (await host.ip('link', 'show', 'dev', hostIfname))[0]?.['address'];
  await place.shell(`
    echo 1 > /proc/sys/net/ipv4/conf/${ifname}/route_localnet
    ip neighbour replace ${gateway} lladdr ${String(mac)} dev ${ifname} nud permanent
    ip rule add pref 1 to 127.0.0.9 lookup 99
    ip rule add pref 2 lookup local
    ip rule delete pref 0
    ip route add 127.0.0.9 via ${gateway} dev ${ifname} table 99 onlink`);
}

const localnet = async (host: Host, name: string): Promise<string> =>
  (await host.must(['cat', `/proc/sys/net/ipv4/conf/${name}/route_localnet`])).trim();

for (const [what, prepare, keys] of [
  ['a bridge that a person made', 'ip link add quay type bridge\nip link set quay up', {}],
  ['keepBridge', '', { keepBridge: true }],
  ['a bridge of ours that a virtual machine is plugged into', '', {}],
] as const) {
  t.test(`the host's loopback services after the last DEL: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await host.shell(`true\n${prepare}`);
      const network = new Network(host, { ...DUAL_STACK, bridge: 'quay', isGateway: true, ...keys });
      await serve(host, 'tcp', 631, { address: '127.0.0.9', name: 'private' });
      await network.container('c1', PUBLISHED);
      const vm = await intruder(host, 'quay');
      t.not(await localnet(host, 'quay'), '0', 'it is on while a port is published');
      t.equal(await ask(vm, 'tcp', '127.0.0.9', 631, silence), undefined, 'and guarded');
      await network.del('c1');
      t.same(await host.nft(), [], 'the tables went with the last');
      t.equal(await localnet(host, 'quay'), '0', 'and what they guarded is switched back');
      await host.shell('ip address replace 10.77.0.1/24 dev quay');
      t.equal(await ask(vm, 'tcp', '127.0.0.9', 631, silence), undefined, 'nobody gets in');
    });
  });
}

t.test('route_localnet that a person has switched on stays', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`ip link add quay type bridge
      ip link set quay up
      echo 1 > /proc/sys/net/ipv4/conf/quay/route_localnet`);
    const network = new Network(host, { ...DUAL_STACK, bridge: 'quay' });
    await network.container('c1', PUBLISHED);
    await network.del('c1');
    t.equal(await localnet(host, 'quay'), '1');
  });
});

t.test('a garbage collection takes no guard without what it guards', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add quay type bridge\nip link set quay up');
    const network = new Network(host, { ...DUAL_STACK, bridge: 'quay' });
    await network.container('c1', PUBLISHED);
    await host.shell('rm -r /var/lib/cni/netmoor');
    await host.must([`${import.meta.dirname}/../../dist/bin/netmoor`, 'gc', '--unrecorded']);
    t.same(await host.nft(), [], 'the store is lost, nothing accounts for the rules');
    t.equal(await localnet(host, 'quay'), '0');
  });
});

t.test(
  'a port published on 127.0.0.1 alone, and a neighbour in the LAN who sends us 127.0.0.1',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, DUAL_STACK);
      const c1 = await network.container('c1', {
        ports: [{ hostPort: 8080, containerPort: 80, hostIP: '127.0.0.9' }],
      });
      await serve(c1.place, 'tcp', 80);
      t.match(await ask(host, 'tcp', '127.0.0.9', 8080), { from: 'c1' }, 'the host itself is served');
      // Whom the host knows by MAC address already: its router, say.
      await host.must(['ping', '-c', '1', world.router4]);
      await reachLoopback(host.outside, host, 'wire', world.host4, 'uplink');
      t.equal(await ask(host.outside, 'tcp', '127.0.0.9', 8080, silence), undefined, 'the neighbour is not');
    });
  },
);
