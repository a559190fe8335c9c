/**
 * containerd's `ctr run --cni`: one network, no arguments, no capabilities, the namespace given as /proc/PID/ns/net.
 */
import { t, test } from 'tap';
import { CONTAINERD_FILES, Containerd } from './containerd.ts';
import { flavours, networks, writeConflist } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { addressesOf, reachesOutside, serveAll } from './traffic.ts';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';

t.setTimeout(180_000);

const skip = lackingFor('containerd', 'ctr', 'runc', 'jq', 'busybox', 'socat', 'nft');

for (const flavour of flavours()) {
  test(`containerd with ${flavour.name}`, { skip }, async (t) => {
    await withForwardingHost(t, async (host) => {
      writeConflist(host, flavour, networks.net1);
      const containerd = await Containerd.start(host);
      await serveAll(host.outside);
      const before = await stateOf(host, CONTAINERD_FILES);

      await t.test('a container that ends: attached, then detached', async (t) => {
        t.match(
          await containerd.foreground('c1', '/bin/ip', 'address', 'show', 'eth0'),
          /inet 10\.71\.0\.\d+\/24/,
        );
        t.equal(await flavour.held(host), 0, 'no address is held');
        if (flavour.exact) t.same(await stateOf(host, CONTAINERD_FILES), before, 'everything is as before');
      });

      await t.test('a container that stays', async (t) => {
        const container = await containerd.container('c2');
        t.equal((await addressesOf(container, 'eth0')).length, 2, 'an address of each family');
        await flavour.settled(host);
        await reachesOutside(t, container);
        await containerd.remove('c2');
        if (!flavour.exact) return;
        // containerd 1.6 never runs DEL for a container started with --detach: collecting it is what `netmoor gc` is
        // for.
        await host.must([`${OWN_PLUGINS}/netmoor`, 'gc']);
        t.equal(await flavour.held(host), 0, 'no address is held');
        t.same(await stateOf(host, CONTAINERD_FILES), before, 'everything is as before');
      });
    });
  });
}
