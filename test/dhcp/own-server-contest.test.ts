/**
 * Scenario A: containers and virtual machines share one network behind NAT, one address plan, one bridge that comes
 * with its first member and goes with its last. The machines are on tap devices, which a process holds, as a hypervisor
 * does.
 */
import t from 'tap';
import type { Background } from '../kernel/harness-process.ts';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { netmoor } from '../kernel/netmoor-command.ts';
import { naming } from '../naming.ts';
import { DhcpClient, udhcpc } from './clients.ts';
import { has, leased } from './guests.ts';

const skip = lacking('busybox', 'socat') ?? false;
t.setTimeout(120_000);

const CONTEST = {
  name: 'contest',
  ipam: { subnet: '192.168.8.0/24' },
  dns: { nameservers: ['192.168.8.1'], domain: 'contest.example' },
  dhcpServer: { leaseSeconds: 10 },
};
const BRIDGE = 'nm-contest';

interface Machine {
  readonly place: Place;
  /** Switches it off. */
  readonly off: () => Promise<void>;
}

/** One end of the wire between the tap device and what is behind it, each frame a datagram. */
function end(place: Place, name: string, from: string, to: string): Background {
  const tap = `TUN,tun-type=tap,iff-no-pi,tun-name=${name}`;
  return place.start(['socat', '-b', '65536', tap, `UNIX-SENDTO:${to},bind=${from}`]);
}

async function machine(host: Host, name: string): Promise<Machine> {
  const place = await host.container(name);
  const inside = end(place, 'eth0', `/run/${name}.in`, `/run/${name}.out`);
  const outside = end(host, `tap-${name}`, `/run/${name}.out`, `/run/${name}.in`);
  for (const [where, link] of [
    [place, 'eth0'],
    [host, `tap-${name}`],
  ] as const)
    await until(
      async () => (await where.run(['ip', 'link', 'show', 'dev', link])).code === 0 || undefined,
      link,
    );
  // The wire breaks when something is sent before both ends are there.
  await place.must(['ip', 'link', 'set', 'eth0', 'up']);
  await host.must(['ip', 'link', 'set', `tap-${name}`, 'master', BRIDGE, 'up']);
  return { place, off: async () => void (await Promise.all([inside.stop(), outside.stop()])) };
}

t.test('the contest network', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('mkdir -p /dev/net\n[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200');
    const network = new Network(host, CONTEST);
    const { place: gateway, ip4 } = await network.container('gateway');
    const vm1 = await machine(host, 'vm1');
    const vm2 = await machine(host, 'vm2');
    const clients = [
      await DhcpClient.start(host, vm1.place, udhcpc('-x', 'hostname:vm1')),
      await DhcpClient.start(host, vm2.place, udhcpc('-x', 'hostname:vm2')),
    ];
    const [one = '', two = ''] = await Promise.all(clients.map(async (client) => client.bound()));
    t.equal(new Set([ip4, one, two]).size, 3);
    await gateway.must(['ping', '-c1', '-W2', one]);
    await vm1.place.must(['ping', '-c1', '-W2', two]);
    await vm2.place.must(['ping', '-c1', '-W2', '203.0.113.1']);
    t.match((await netmoor(host, 'ls')).out, new RegExp(one.replaceAll('.', '\\.')));
    const drawn = (await netmoor(host, 'show')).out;
    t.match(drawn, naming(BRIDGE, 'gateway', ip4, 'tap-vm1', 'tap-vm2', one, two));

    await network.del('gateway');
    t.ok(await has(host, BRIDGE), 'the machines keep the bridge');
    await vm1.place.must(['ping', '-c1', '-W2', two]);
    await vm2.place.must(['ping', '-c1', '-W2', '203.0.113.1']);
    for (const client of clients) await client.stop();
    await vm1.off();
    await vm2.off();
    await until(async () => !(await has(host, BRIDGE)) || undefined, 'the end of the bridge', 40_000);
    t.same(await leased(host), {});
    t.notMatch(JSON.stringify(await host.nft()), /netmoor/, 'nothing is left in the firewall');
    t.equal((await netmoor(host, 'networks')).out.includes('contest'), false);
  });
});

t.test('interfaces kept across restarts', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { dhcpServer: _none, ...rest } = CONTEST;
    const network = new Network(host, { ...rest, bridge: 'contest0', keepBridge: true, members: ['pad0'] });
    await host.shell(`ip link add pad0 type veth peer name desk
      nft 'table inet mine { chain in { type filter hook input priority 0; iif lo accept; }; }'`);
    await network.container('gateway', { ifname: 'host0' });
    await host.must(['nft', 'add rule inet mine in iif contest0 accept']);
    const bridge = async (): Promise<unknown> => host.ip('link', 'show', 'dev', 'contest0');
    const index = (shown: unknown): unknown => (shown as { ifindex: number; address: string }[])[0];
    const before = index(await bridge());
    await network.del('gateway', { ifname: 'host0' });
    t.match(index(await bridge()), { ifindex: (before as { ifindex: number }).ifindex }, 'the very same');
    await network.add('gateway', { ifname: 'host0' });
    const place = host.at('/run/netns/gateway');
    await place.must(['ping', '-c1', '-W2', '203.0.113.1']);
    t.equal((await place.ip('link', 'show', 'dev', 'host0'))[0]?.ifname, 'host0');
    t.match(
      await host.must(['nft', 'list', 'table', 'inet', 'mine']),
      naming('contest0'),
      'and by its index',
    );
    const master = async (): Promise<unknown> => (await host.ip('link', 'show', 'dev', 'pad0'))[0]?.master;
    t.equal(await master(), 'contest0');
    await network.del('gateway', { ifname: 'host0' });
    await netmoor(host, 'networks', '--forget', 'contest');
    await netmoor(host, 'gc');
    t.strictSame(
      [await has(host, 'contest0'), await master()],
      [false, undefined],
      'until nobody wants them',
    );
  });
});
