/** What lies in host-local's directory, and is none of its leases, keeps nobody from attaching or importing. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { netmoor } from '../kernel/netmoor-command.ts';

const skip = lacking() ?? false;

t.test('a FIFO, something huge, a directory, links, bytes that are no text', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`ip link add br0 up type bridge
ip link add other up master br0 type veth peer name another
mkdir -p /var/lib/cni/networks/yard/10.9.0.5
cd /var/lib/cni/networks/yard
mkfifo 10.9.0.2
truncate -s 5M 10.9.0.3
ln -s / 10.9.0.4
ln -s nowhere 10.9.0.6
head -c 300 /dev/urandom > 10.9.0.7`);
    const config = { name: 'yard', bridge: 'br0', ipam: { ranges: [[{ subnet: '10.9.0.0/24' }]] } };
    host.write(
      '/etc/cni/net.d/yard.conf',
      JSON.stringify({ cniVersion: '1.0.0', type: 'bridge-nat', ...config }),
    );
    const network = new Network(host, config);
    t.match((await network.container('c1')).ip4, /^10\.9\.0\./);
    t.match(await netmoor(host, 'import', 'host-local'), { code: 0 });
    await network.del('c1');
  });
});
