/** A virtual machine on the bridge of a network with a way out of its own, after the last container. */
import t from 'tap';
import { plugMachine, vpnNetwork } from '../kernel/egress-bed.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';

const skip = lacking() ?? false;

t.test('the host stays guarded from who stays on the bridge', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = vpnNetwork(host);
    await network.container('c1');
    const machine = await plugMachine(host);
    t.equal((await machine.place.run(['ping', '-c1', '-W2', '10.77.0.1'])).code, 0, 'the gateway is there');
    t.equal(await machine.resolver(300), undefined, 'while there is a container');
    await network.del('c1');
    t.match(await host.shell('ip rule'), /iif nm-vpn/, 'its way out stays');
    t.equal((await machine.place.run(['ping', '-c1', '-W2', '10.77.0.1'])).code, 0, 'the gateway is there');
    t.equal(await machine.resolver(300), undefined, 'after the last');
    const layer = async () => host.shell('nft list set inet netmoor egress');
    t.match(await layer(), /nm-vpn/, 'both layers');
    const plain = new Network(host, { name: 'plain' });
    await plain.container('c2');
    await plain.del('c2');
    t.match(await layer(), /nm-vpn/, 'after the last of all');
    await asked(host, 'gc');
    t.match(await layer(), /nm-vpn/, 'after a gc');
    t.equal(await machine.resolver(300), undefined);
    await machine.unplug();
    await asked(host, 'gc');
    t.equal(await host.shell('nft list tables; ip rule show pref 109; ip link show type bridge'), '');
  });
});
