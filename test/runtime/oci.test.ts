/**
 * runc and crun: containers started in a namespace that a plugin attached beforehand.
 */
import { t, test } from 'tap';
import { makeBundle } from './bundle.ts';
import { flavours, networks } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import { makeRootfs } from './rootfs.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { isNotPublished, isPublished, reachesOutside, serveAll } from './traffic.ts';
import { addChainMust, runChain, withoutType } from '../kernel/harness-chain.ts';

const RUNTIME_FILES = /^\S \/run\/(runc|crun|bundles|rootfs)/;

const portMappings = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 5353, containerPort: 53, protocol: 'udp' },
];

t.setTimeout(180_000);

/** crun refuses machines that mix both versions of control groups: in its host only the first is to be seen. */
const ONE_CGROUP_VERSION = '[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified';

for (const runtime of ['runc', 'crun']) {
  const skip = lackingFor(runtime, 'runc', 'busybox', 'socat', 'nft');
  for (const flavour of flavours()) {
    test(`${runtime} in a namespace attached by ${flavour.name}`, { skip }, async (t) => {
      await withForwardingHost(
        t,
        async (host) => {
          await makeRootfs(host);
          await serveAll(host.outside);
          const before = await stateOf(host, RUNTIME_FILES);

          const list = { cniVersion: '1.0.0', name: 'net1', plugins: flavour.plugins(networks.net1) };
          const place = await host.container('c1');
          const call = {
            containerId: 'c1',
            ifname: 'eth0',
            netns: place.netnsPath,
            runtimeConfig: { portMappings },
          };
          const result = await addChainMust(host, list, call);
          const bundle = await makeBundle(host, 'c1', place.netnsPath);
          // The container keeps the runtime's standard streams: the harness's pipes must not be among them.
          await host.shell(
            `${runtime} run --detach --bundle ${bundle} c1 < /dev/null > ${bundle}/log 2>&1 || { cat ${bundle}/log >&2; exit 1; }`,
          );

          const seen = await host.shell(`${runtime} exec c1 /bin/ip address show eth0 < /dev/null`);
          for (const { address } of result.ips ?? [])
            t.match(seen, address, 'the container has the address of the result');
          await flavour.settled(host);
          const stopServers = await serveAll(place);
          await reachesOutside(t, place);
          await isPublished(t, host, 'c1');
          // The reference's portmap 1.1.1 looks for IPv4 rules among the IPv6 ones when it has published both.
          await runChain(host, 'CHECK', withoutType(list, 'portmap'), call, result);

          await stopServers();
          await host.shell(`${runtime} delete --force c1`);
          await runChain(host, 'DEL', list, call, result);
          await isNotPublished(t, host);
          t.equal(await flavour.held(host), 0, 'no address is held');
          await host.removeContainer('c1');
          if (flavour.exact) t.same(await stateOf(host, RUNTIME_FILES), before, 'everything is as before');
        },
        ONE_CGROUP_VERSION,
      );
    });
  }
}
