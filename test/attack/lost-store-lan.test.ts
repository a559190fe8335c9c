/** The lease store is lost where the bridge has addresses of the host itself: they are nobody's gateways. */
import t from 'tap';
import { lacking, withHost, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { asked, netmoor } from '../kernel/netmoor-command.ts';

const skip = lacking() ?? false;

const ipam = {
  ranges: [[{ subnet: '203.0.113.0/24', rangeStart: '203.0.113.100', gateway: world.router4 }]],
};
const NEW = '203.0.113.60';

async function addressesOf(host: Host, dev: string): Promise<(string | undefined)[]> {
  const shown = await host.ip('-4', 'address', 'show', 'dev', dev);
  return shown.flatMap(({ addr_info = [] }) => addr_info.map(({ local }) => local));
}

for (const [what, bridge, config, prepare] of [
  ['a member’s', 'nm-lan', { members: [{ interface: 'uplink', moveAddresses: true }] }, ''],
  [
    'of a bridge of the host',
    'br0',
    { bridge: 'br0' },
    `ip link add br0 up type bridge
ip address flush dev uplink
ip link set uplink master br0
ip address add ${world.host4}/24 dev br0`,
  ],
] as const) {
  t.test(`${what}: repair does not hold the host to them`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await host.shell(`${prepare}
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0`);
      const network = new Network(host, { name: 'lan', ...config, ipam });
      await network.container('c1');
      await host.shell('rm -r /var/lib/cni/netmoor');
      await asked(host, 'gc', '--rebuild');
      // The LAN's DHCP server has given the host another one, and the former to somebody else.
      await host.shell(`ip address add ${NEW}/24 dev ${bridge}
ip address delete ${world.host4}/24 dev ${bridge}
ip address replace ${NEW}/24 dev ${bridge}`);
      t.equal((await netmoor(host, 'check')).code, 0);
      t.match(await netmoor(host, 'repair'), { code: 0, out: '' });
      t.same(await addressesOf(host, bridge), [NEW]);
      t.equal((await host.must(['cat', '/proc/sys/net/ipv4/ip_forward'])).trim(), '0', 'it is no router');
    });
  });
}
