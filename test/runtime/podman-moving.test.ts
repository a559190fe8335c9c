/** A host of podman's whose network becomes bridge-nat's while its containers run. */
import { t, test } from 'tap';
import { lackingFor } from './lacking.ts';
import { Podman } from './podman.ts';
import { withForwardingHost } from './states.ts';
import { shipped } from '../kernel/distributions.ts';
import { ask, serve, world } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';

t.setTimeout(180_000);

const skip = lackingFor('podman', 'conmon', 'runc', 'busybox', 'socat', 'nft');

const FILE = '/etc/cni/net.d/87-podman-bridge.conflist';

test('the default network of podman, moved', { skip }, async (t) => {
  await withForwardingHost(t, async (host) => {
    host.write(FILE, JSON.stringify(shipped('podman-default')));
    const podman = await Podman.start(host);
    const c1 = await podman.container('c1', '-p', '8080:80');
    await podman.container('c2', '-p', '8081:80');
    await serve(c1, 'tcp', 80);
    t.match((await asked(host, 'network', 'migrate', FILE, '--write')).view, { written: true });
    const { view } = await asked(host, 'import', 'host-local', 'podman', '--clean');
    t.equal(view.imported.length, 2);
    t.match(await asked(host, 'check'), { yes: true });
    t.match(
      (await asked(host, 'ls')).view.map(({ name }) => name).sort(),
      ['c1', 'c2'],
      'by the names that podman gives them',
    );
    t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1');
    await podman.container('c3', '-p', '8082:80');
    const addresses = (await asked(host, 'ls')).view.map((each) => each.addresses[0]?.address);
    t.equal(new Set(addresses).size, 3, 'who comes has an address of its own');
    for (const name of ['c1', 'c2', 'c3']) await podman.remove(name);
    t.same((await asked(host, 'ls')).view, [], 'and podman detaches all of them by the network as it is now');
    t.same((await host.shell('ls /var/lib/cni/networks/podman')).match(/^\d.*/gm), null);
    t.same((await host.shell('nft list ruleset')).match(/CNI-DN-\w+|netmoor/g), null);
  });
});
