/** A virtual machine on the bridge of a network with a way out of its own, after the last container. */
import t from 'tap';
import { VPN } from '../kernel/egress-bed.ts';
import { ask, lacking, serve, withHost } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';

const skip = lacking() ?? false;

t.test('the host stays guarded from who stays on the bridge', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, {
      ...DUAL_STACK,
      name: 'vpn',
      egress: { interface: 'tun0' },
      dns: { nameservers: [VPN.far4] },
    });
    await network.container('c1');
    const machine = await host.container('vm');
    await host.shell(`ip link add tap7 type veth peer name eth0 netns vm; ip link set tap7 master nm-vpn up
ip -n vm address add 10.77.0.50/24 dev eth0; ip -n vm link set eth0 up; ip -n vm route add default via 10.77.0.1`);
    await serve(host, 'udp', 53, { name: 'resolver' });
    const resolver = async () => ask(machine, 'udp', '10.77.0.1', 53, { deadlineMs: 300 });
    t.equal((await machine.run(['ping', '-c1', '-W2', '10.77.0.1'])).code, 0, 'the gateway is there');
    t.equal(await resolver(), undefined, 'while there is a container');
    await network.del('c1');
    t.match(await host.shell('ip rule'), /iif nm-vpn/, 'its way out stays');
    t.equal((await machine.run(['ping', '-c1', '-W2', '10.77.0.1'])).code, 0, 'the gateway is there');
    t.equal(await resolver(), undefined, 'after the last');
    const layer = async () => host.shell('nft list set inet netmoor egress');
    t.match(await layer(), /nm-vpn/, 'both layers');
    const plain = new Network(host, { name: 'plain' });
    await plain.container('c2');
    await plain.del('c2');
    t.match(await layer(), /nm-vpn/, 'after the last of all');
    await asked(host, 'gc');
    t.match(await layer(), /nm-vpn/, 'after a gc');
    t.equal(await resolver(), undefined);
    await host.must(['ip', 'link', 'delete', 'tap7']);
    await asked(host, 'gc');
    t.equal(await host.shell('nft list tables; ip rule show pref 109; ip link show type bridge'), '');
  });
});
