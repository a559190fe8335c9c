/**
 * netmoor-hook gives OCI containers addresses by DHCP, under runc and crun: where no directory for plugins has
 * dhcp-ipam, nor anybody started the engine.
 */
import { t, test } from 'tap';
import { withHost } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { naming } from '../naming.ts';
import { DhcpLan, SERVING4 } from '../dhcp/dhcp-lan.ts';
import { dnsmasq } from '../dhcp/dnsmasq.ts';
import { DhcpServer } from '../dhcp/server.ts';
import { PREPARE, Runtime, countResults, makeHookBundle, readHostMap } from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { makeRootfs } from './rootfs.ts';
import { addressesOf } from './traffic.ts';

t.setTimeout(300_000);

const NETWORKS = {
  office: { type: 'bridge-nat', bridge: 'br-lan', ipam: { type: 'dhcp-ipam' } },
  away: { type: 'macvlan-v6', master: 'br-lan', addressing: 'none', ipam: { type: 'dhcp-ipam' } },
};

for (const name of ['runc', 'crun']) {
  const skip = lackingFor(name, 'runc', 'busybox', 'dnsmasq', 'tcpdump');

  test(`${name}: a container with an address of the LAN's server`, { skip }, async (t) => {
    const body = async (host: Parameters<typeof makeRootfs>[0]): Promise<void> => {
      await makeRootfs(host);
      const lan = await DhcpLan.open(host);
      await lan.bridge();
      const server = await DhcpServer.start(host, lan.router, dnsmasq(SERVING4));
      const runtime = new Runtime(host, name);
      for (const [index, [network, plugin]] of Object.entries(NETWORKS).entries()) {
        const list = { cniVersion: '1.0.0', name: network, plugins: [plugin] };
        host.write(`/etc/cni/net.d/${network}.conflist`, JSON.stringify(list));
        const annotations = { 'netmoor/networks': network, 'netmoor/hostname': `boat-${index}` };
        const flags = ['--files', 'resolv.conf,hosts'];
        const bundle = await makeHookBundle(host, `c${index}`, { annotations, flags });
        const place = await runtime.start(bundle);
        const [address = ''] = await addressesOf(place, 'eth0');
        t.match(address, /^192\.0\.2\.1[0-4]\d\/24$/, network);
        t.match(
          await runtime.exec(bundle.id, 'cat', '/etc/resolv.conf'),
          naming('lan.example', '192.0.2.53'),
        );
        const bare = address.replace('/24', '');
        t.same(await readHostMap(host), [[bare, `boat-${index}`, bundle.id]]);
        t.match((await asked(host, 'leases')).view.dhcp, [
          { network, containerId: bundle.id, addresses: [address] },
        ]);
        t.match(await asked(host, 'check'), { yes: true });
        await runtime.remove(bundle.id);
        await server.says('RELEASE', { count: 2 * index + 1 });
        t.match(server.log().filter(({ message }) => message === 'RELEASE')[2 * index]?.text, bare);
        t.equal(await countResults(host), 0);
        t.same((await asked(host, 'leases')).view.dhcp, []);
        const again = await runtime.start(bundle);
        t.same(await addressesOf(again, 'eth0'), [address], 'the same address when it comes again');
        await runtime.remove(bundle.id);
        await server.says('RELEASE', { count: 2 * index + 2 });
      }
    };
    await withHost(t, body, { prepare: PREPARE });
  });
}
