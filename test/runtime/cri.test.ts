/**
 * containerd's CRI plugin, as the kubelet uses it: loopback and two networks attached to a pod in parallel by go-cni,
 * port mappings with go-cni's spelling of their keys, DEL after the sandbox is gone.
 */
import { readdirSync } from 'node:fs';
import { t, test } from 'tap';
import { CONTAINERD_FILES, Containerd, criConfig } from './containerd.ts';
import { CriClient } from './cri.ts';
import { flavours, networks, writeConflist } from './flavours.ts';
import { makeImage } from './image.ts';
import { lackingFor } from './lacking.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { addressesOf, isNotPublished, isPublishedTcp, reachesOutside, serveAll } from './traffic.ts';

t.setTimeout(180_000);

const skip = lackingFor('containerd', 'ctr', 'runc', 'jq', 'busybox', 'socat', 'nft');

const PAUSE = 'localhost/pause:1';

/** What the pod leaves to containerd: its image. */
const POD_FILES = new RegExp(`${CONTAINERD_FILES.source}|^\\S /run/image|^\\S /opt/`);

for (const flavour of flavours()) {
  test(`a pod with ${flavour.name}`, { skip }, async (t) => {
    await withForwardingHost(t, async (host) => {
      writeConflist(host, flavour, networks.net1);
      // Were both to publish, the reference's portmap would run into itself (iptables has no lock between its calls).
      writeConflist(host, flavour, { ...networks.net2, publishes: false });
      await Containerd.start(host, criConfig(PAUSE, 2));
      const image = await makeImage(host, PAUSE);
      await host.must(['ctr', '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', 'native', image]);
      const stopOutside = await serveAll(host.outside);
      const before = await stateOf(host, POD_FILES);

      const cri = new CriClient(host.path('/run/containerd/containerd.sock'));
      const id = await cri.runPodSandbox({
        name: 'pod1',
        cgroupParent: `/${host.id}`,
        ports: [
          { protocol: 'tcp', containerPort: 80, hostPort: 8080 },
          { protocol: 'udp', containerPort: 53, hostPort: 5353 },
        ],
      });
      const [netns = ''] = readdirSync(host.path('/run/netns'));
      const pod = host.at(`/run/netns/${netns}`, 'pod1');
      const [net1, net2] = [await addressesOf(pod, 'eth0'), await addressesOf(pod, 'eth1')];
      t.match(
        [net1, net2],
        [
          [/^10\.71\.0\./, /^fd71::/],
          [/^10\.72\.0\./, /^fd72::/],
        ],
      );
      const bare = net1.map((address) => address.split('/')[0]);
      t.same(await cri.podAddresses(id), bare, 'the kubelet is told the addresses of eth0');
      await flavour.settled(host);
      const stopServers = await serveAll(pod);
      await reachesOutside(t, pod);
      await isPublishedTcp(t, host, 'pod1');

      await stopServers();
      await cri.stopPodSandbox(id);
      await isNotPublished(t, host);
      await cri.stopPodSandbox(id);
      await cri.removePodSandbox(id);
      cri.close();
      t.equal(await flavour.held(host), 0, 'no address is held');
      if (flavour.exact) t.same(await stateOf(host, POD_FILES), before, 'everything is as before');
      await stopOutside();
    });
  });
}
