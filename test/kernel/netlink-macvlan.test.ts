/** lib/netlink/macvlan.ts on the real kernel: born in another namespace, in every mode, on a master of a veth. */
import { test } from 'tap';
import { isErrno } from '../../lib/base/errors.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import type { MacvlanCreation } from '../../lib/netlink/macvlan.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { closeNetns, inNetns, openNetns } from '../../lib/system/netns.ts';
import { lacking, withHost } from './harness.ts';
import { inside } from './nftables-bed.ts';

const skip = lacking() ?? false;
const MODES = ['private', 'vepa', 'bridge', 'passthru'] as const;

test('macvlans', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('for end in a b c d; do ip link add name $end type veth peer name far$end; done');
    const c1 = await host.container('c1');
    const netns = openNetns(host.path(c1.netnsPath));
    t.teardown(() => closeNetns(netns));
    const socket = inside(host, () => NetlinkSocket.open('route'));
    t.teardown(() => socket.close());
    const there = inNetns(netns, () => NetlinkSocket.open('route'));
    t.teardown(() => there.close());
    const create = (macvlan: Omit<MacvlanCreation, 'netnsFd'>): unknown =>
      socket.request(macvlanCreation({ ...macvlan, netnsFd: netns.fd }));

    for (const [number, mode] of MODES.entries()) {
      const name = `eth${number}`;
      const { index: master, mac: itsMac } = findLink(socket, 'abcd'.charAt(number)) as Link;
      const mac = `02:00:00:00:00:1${number}`;
      create({ name, mac, mtu: 1400, master, mode, bcQueueLength: 100 * (number + 1) });
      const [shown] = await c1.ip('-details', 'link', 'show', 'dev', name);
      const address = mode === 'passthru' ? itsMac : mac;
      t.match(shown, { address, mtu: 1400, flags: ['BROADCAST', 'MULTICAST'] }, 'down');
      const info_data = { mode, bcqueuelen: 100 * (number + 1) };
      t.match(shown?.linkinfo, { info_kind: 'macvlan', info_data });
      t.match(findLink(there, name), {
        kind: 'macvlan',
        peer: master,
        macvlan: { mode, bcQueueLength: 100 * (number + 1) },
      });
    }
    const refusal = (macvlan: Omit<MacvlanCreation, 'netnsFd'>): string | undefined => {
      try {
        create(macvlan);
      } catch (error) {
        return ['EEXIST', 'EINVAL', 'ENODEV'].find((code) => isErrno(error, code));
      }
      return undefined;
    };
    const a = findLink(socket, 'a')?.index ?? 0;
    const d = findLink(socket, 'd')?.index ?? 0;
    t.equal(refusal({ name: 'eth0', master: a, mode: 'bridge' }), 'EEXIST', 'the name is taken');
    t.equal(
      refusal({ name: 'eth9', master: a, mode: 'bridge', mtu: 1501 }),
      'EINVAL',
      'over the master’s MTU',
    );
    t.equal(refusal({ name: 'eth9', master: d, mode: 'bridge' }), 'EINVAL', 'the master is taken over');
    t.equal(refusal({ name: 'eth9', master: a, mode: 'passthru' }), 'EINVAL', 'the master has another');
    t.equal(refusal({ name: 'eth9', master: 0x7fff_fff0, mode: 'bridge' }), 'ENODEV', 'no such master');
    t.equal(findLink(there, 'eth9'), undefined);
    await c1.shell('ip link add link eth2 name source type macvlan mode source');
    t.match(findLink(there, 'source'), { kind: 'macvlan', macvlan: { mode: undefined } });
  });
});
