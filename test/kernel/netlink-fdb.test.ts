/** lib/netlink/fdb.ts on the real kernel: macvlans on a master, wherever they are, as `bridge fdb` shows them. */
import { test } from 'tap';
import { listUnicast } from '../../lib/netlink/fdb.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { lacking, until, withHost } from './harness.ts';
import { inside } from './nftables-bed.ts';

const skip = lacking('bridge') ?? false;

test('macvlans on a master', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const c1 = await host.container('c1');
    await host.shell(`ip link add near type veth peer name far; ip link set near up; ip link set far up
      ip link add link near address 02:00:00:00:00:01 name one netns c1 type macvlan mode bridge
      ip link add link near address 02:00:00:00:00:02 name two type macvlan mode private
      ip link add link far address 02:00:00:00:00:03 name taker type macvlan mode passthru; ip link set taker up`);
    const socket = inside(host, () => NetlinkSocket.open('route'));
    t.teardown(() => socket.close());
    const [near, far] = ['near', 'far'].map((name) => findLink(socket, name)?.index ?? 0);
    const heard = (index = near ?? 0): string[] => listUnicast(socket, index).sort();
    t.strictSame(heard(), [], 'both are down');
    await c1.shell('ip link set one up');
    await host.shell('ip link set two up');
    t.strictSame(heard(), ['02:00:00:00:00:01', '02:00:00:00:00:02']);
    const shown = await host.must(['bridge', '-j', 'fdb', 'show', 'dev', 'near']);
    const entries = JSON.parse(shown) as { mac: string; flags: string[] }[];
    const unicast = entries.filter(({ mac, flags }) => flags.includes('self') && !/^(01|33):/.test(mac));
    t.strictSame(unicast.map(({ mac }) => mac).sort(), heard(), 'as bridge shows them');
    t.ok(entries.length > unicast.length, 'without multicast');
    t.strictSame(heard(far), [], 'a master that is taken over listens to everything');
    await host.shell('ip link set two down');
    t.strictSame(heard(), ['02:00:00:00:00:01']);
    await host.removeContainer('c1');
    await until(() => heard().length === 0, 'the end of the container’s');
    t.strictSame(heard(0x7fff_fff0), [], 'a device that is gone');

    // The entries of a bridge, learned ones too, are not its ports'.
    await host.shell(`ip link add quay type bridge; ip link set far nomaster; ip link del taker
      ip link set far master quay; ip link set quay up
      bridge fdb add 02:00:00:00:00:09 dev far master`);
    t.strictSame(heard(far), []);
  });
});
