/** containerd and containers on a LAN: `ctr run --cni`, and pods as the kubelet makes them. */
import { readdirSync } from 'node:fs';
import { t, test } from 'tap';
import type { Host } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { must } from '../kernel/attach-bed.ts';
import { CONTAINERD_FILES, Containerd, criConfig } from './containerd.ts';
import { CriClient } from './cri.ts';
import { makeImage } from './image.ts';
import { lackingFor } from './lacking.ts';
import {
  POOL4,
  defaultRoutes,
  leasedBy,
  macOf,
  slaacOf,
  untilNoMacvlan,
  withLanHost,
  writeLan,
} from './macvlan-bed.ts';
import { stateOf } from './states.ts';
import { addressesOf } from './traffic.ts';

t.setTimeout(180_000);

const skip = lackingFor('containerd', 'ctr', 'runc', 'jq', 'busybox', 'socat', 'radvd', 'tcpdump', 'nft');

const PAUSE = 'localhost/pause:1';
const POD_FILES = new RegExp(`${CONTAINERD_FILES.source}|^\\S /run/image|^\\S /opt/`);
const IP4 = '0.0.0.0/0';

test('ctr run --cni on a LAN', { skip }, async (t) => {
  await withLanHost(t, async ({ host, peer }) => {
    writeLan(host, 'dual', { ipam: { ...POOL4, routes: [{ dst: IP4 }] } });
    const containerd = await Containerd.start(host);
    const before = await stateOf(host, CONTAINERD_FILES);
    const shown = await containerd.foreground('c1', '/bin/ip', '-o', 'address', 'show', 'eth0');
    t.match(shown, /inet 192\.0\.2\.1\d\d\/24/);
    t.match(shown, /inet6 2001:db8:50:0:[0-9a-f:]+\/64 scope global/);
    await untilNoMacvlan(host);
    t.same(await stateOf(host, CONTAINERD_FILES), before, 'one that ends leaves nothing');

    const place = await containerd.container('c2');
    const address = slaacOf(await macOf(place, 'eth0'));
    const [ip4 = '', ip6] = await addressesOf(place, 'eth0');
    t.equal(ip6, `${address}/64`);
    for (const each of [ip4.replace(/\/.*/, ''), address])
      t.ok(await peer.pings(each), `a peer reaches ${each}`);
    await containerd.remove('c2');
    // containerd 1.6 never runs DEL for a container started with --detach.
    await untilNoMacvlan(host);
    t.same(await leasedBy(host), [ip4]);
    await must(host, 'gc');
    t.same(await leasedBy(host), []);
    t.same(await stateOf(host, CONTAINERD_FILES), before, 'everything is as before');
  });
});

interface Pod {
  readonly id: string;
  readonly address: string;
}

async function runPod(host: Host, cri: CriClient): Promise<Pod> {
  const ports = [{ protocol: 'tcp', containerPort: 80, hostPort: 8080 }] as const;
  const id = await cri.runPodSandbox({ name: 'pod1', cgroupParent: `/${host.id}`, ports });
  const [netns = ''] = readdirSync(host.path('/run/netns'));
  return { id, address: slaacOf(await macOf(host.at(`/run/netns/${netns}`, 'pod1'), 'eth0')) };
}

test('a pod on a LAN', { skip }, async (t) => {
  await withLanHost(t, async ({ host, peer }) => {
    writeLan(host, 'lan');
    await Containerd.start(host, criConfig(PAUSE, 1));
    const image = await makeImage(host, PAUSE);
    await host.must(['ctr', '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', 'native', image]);
    const before = await stateOf(host, POD_FILES);
    const cri = new CriClient(host.path('/run/containerd/containerd.sock'));
    const first = await runPod(host, cri);
    t.same(await cri.podAddresses(first.id), [first.address], 'the kubelet is told its address');
    t.ok(await peer.pings(first.address), 'a peer reaches it');
    const [netns = ''] = readdirSync(host.path('/run/netns'));
    const place = host.at(`/run/netns/${netns}`, 'pod1');
    t.same(await defaultRoutes(place, '-6'), [`${lanWorld.routerLinkLocal} eth0`]);
    await cri.stopPodSandbox(first.id);
    t.notOk(await peer.pings(first.address, 1000));
    await cri.removePodSandbox(first.id);
    const second = await runPod(host, cri);
    t.equal(second.address, first.address, 'another pod of the same name has the same address');
    await cri.stopPodSandbox(second.id);
    await cri.removePodSandbox(second.id);
    cri.close();
    await untilNoMacvlan(host);
    t.same(await stateOf(host, POD_FILES), before, 'everything is as before');
  });
});
