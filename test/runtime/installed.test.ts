/**
 * A host without any of the reference's plugins, and netmoor installed by its own command, with their names: podman and
 * containerd start containers on it, by the configurations that they come with.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { t, test } from 'tap';
import { Containerd, criConfig } from './containerd.ts';
import { CriClient } from './cri.ts';
import { makeImage } from './image.ts';
import { lackingFor } from './lacking.ts';
import { Podman } from './podman.ts';
import { withForwardingHost } from './states.ts';
import { addressesOf, isNotPublished, isPublishedTcp, reachesOutside, serveAll } from './traffic.ts';
import { BUILT, install, listing, makeInstallable, uninstall } from '../kernel/install-bed.ts';
import type { Host } from '../kernel/harness.ts';
import type { EngineReport } from '../../schemas/compiled/cli-engine.js';

t.setTimeout(180_000);

const skip = lackingFor('podman', 'conmon', 'containerd', 'ctr', 'runc', 'jq', 'busybox', 'socat', 'nft');

const PAUSE = 'localhost/pause:1';

/** containerd's and CRI-O's, but for the plugins of the chain that are not there. */
const BRIDGE = {
  cniVersion: '1.0.0',
  name: 'containerd-net',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: 'fd88::/64' }]],
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
    },
  ],
};

const HARBOUR = {
  cniVersion: '1.0.0',
  name: 'harbour',
  plugins: [{ type: 'bridge-nat', capabilities: { portMappings: true } }],
};

/** The runtimes' own. */
const OTHERS = /cni\.lock|^\/opt\/containerd/;

async function listed(host: Host): Promise<string[]> {
  return (await listing(host)).filter((line) => !OTHERS.test(line));
}

async function startPodman(host: Host): Promise<Podman> {
  const podman = await Podman.start(host);
  const file = '/etc/containers/containers.conf';
  const config = readFileSync(host.path(file), 'utf8');
  host.write(
    file,
    config.replace(/^cni_plugin_dirs.*$/m, 'cni_plugin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]'),
  );
  return podman;
}

test('podman and containerd with nothing but what was installed', { skip }, async (t) => {
  await withForwardingHost(t, async (host) => {
    await makeInstallable(host, 'bare');
    host.write('/etc/cni/net.d/10-bridge.conflist', JSON.stringify(BRIDGE));
    host.write('/etc/cni/net.d/20-harbour.conflist', JSON.stringify(HARBOUR));
    const podman = await startPodman(host);
    const before = await listed(host);
    t.equal((await install(host, BUILT, '--names', 'bridge,host-local')).code, 0);
    const engine = host.start(['netmoor', 'engine']);
    await engine.until(() => existsSync(host.path('/run/netmoor/engine.sock')), 'engine');
    const stopOutside = await serveAll(host.outside);

    const c1 = await podman.container('c1', '--network', 'containerd-net');
    t.match(await addressesOf(c1, 'eth0'), [/^10\.88\.0\./, /^fd88::/]);
    await reachesOutside(t, c1);
    const c2 = await podman.container('c2', '--network', 'harbour', '-p', '8080:80');
    const stopServers = await serveAll(c2);
    await isPublishedTcp(t, host, 'c2');

    await podman.container('c3', '--network', 'none', '--annotation', 'netmoor/networks=harbour');
    t.match(await podman.must('exec', 'c3', 'ip', 'address', 'show', 'eth0'), 'inet 10.', 'by the hook');

    await Containerd.start(host, criConfig(PAUSE, 1), 'installed');
    const image = await makeImage(host, PAUSE);
    await host.must(['ctr', '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', 'native', image]);
    const namespaces = readdirSync(host.path('/run/netns'));
    const cri = new CriClient(host.path('/run/containerd/containerd.sock'));
    const id = await cri.runPodSandbox({ name: 'pod1', cgroupParent: `/${host.id}`, ports: [] });
    const fresh = readdirSync(host.path('/run/netns')).find((name) => !namespaces.includes(name));
    const pod = host.at(`/run/netns/${fresh ?? ''}`, 'pod1');
    t.match((await pod.ip('link', 'show', 'dev', 'lo'))[0]?.flags, ['LOOPBACK', 'UP'], 'loopback is up');
    t.match(await addressesOf(pod, 'eth0'), [/^10\.88\.0\./, /^fd88::/]);
    await reachesOutside(t, pod);
    const { requests } = JSON.parse(
      await host.must(['netmoor', 'engine', 'status', '--json']),
    ) as EngineReport;
    t.ok((requests?.served ?? 0) >= 4, `the engine has answered ${requests?.served} times`);
    t.match((await uninstall(host, 'netmoor')).error, { code: 50 }, 'not while they run');

    await cri.stopPodSandbox(id);
    await cri.removePodSandbox(id);
    cri.close();
    await stopServers();
    for (const name of ['c1', 'c2', 'c3']) await podman.remove(name);
    await isNotPublished(t, host);
    await stopOutside();
    const gone = await uninstall(host, 'netmoor', '--purge');
    t.equal(gone.code, 0);
    await engine.end();
    t.same(await listed(host), before, 'as before');
  });
});
