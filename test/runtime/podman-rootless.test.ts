/** podman run by a user who is not root: its containers, and the one way to see them with netmoor. */
import { t, test } from 'tap';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import type { Outcome } from '../kernel/harness-process.ts';
import { until, withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { PLUGIN_PATH } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import { ROOTFS_TAR, makeRootfs } from './rootfs.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const HOME = '/home/moored';
const RUNTIME = '/run/user/moored';
const IMAGE = 'localhost/busybox:1';
const NETMOOR = `${OWN_PLUGINS}/netmoor`;
const skip = lackingFor('podman', 'conmon', 'crun', 'runc', 'busybox', 'newuidmap', 'slirp4netns', 'setpriv');

/** The limits are stated because podman otherwise raises them. */
const CONTAINERS_CONF = `
[network]
network_backend = "cni"
cni_plugin_dirs = ${JSON.stringify(PLUGIN_PATH)}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

const FRONT = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'front',
  plugins: [{ type: 'bridge-nat', capabilities: { portMappings: true, ips: true } }],
});

/** A user with subordinate ids, and the device that slirp4netns opens as everybody may on other hosts. */
async function makeUser(host: Host): Promise<void> {
  await makeRootfs(host);
  await host.shell(`
mount -t tmpfs -o mode=755 tmpfs /home
useradd --create-home --shell /bin/sh moored
echo moored:100000:65536 > /etc/subuid
echo moored:100000:65536 > /etc/subgid
mknod -m 666 /run/tun c 10 200
mount --bind /run/tun /dev/net/tun
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
mkdir -p ${RUNTIME}
cp ${ROOTFS_TAR} ${HOME}/rootfs.tar`);
  host.write(`${HOME}/.config/containers/containers.conf`, CONTAINERS_CONF);
  host.write(`${HOME}/.config/containers/storage.conf`, '[storage]\ndriver = "vfs"\n');
  host.write(`${HOME}/.config/cni/net.d/front.conflist`, FRONT);
  await host.shell(`chown -R moored ${HOME} ${RUNTIME}`);
}

async function asUser(host: Host, ...argv: string[]): Promise<Outcome> {
  const user = ['setpriv', '--reuid=moored', '--regid=moored', '--init-groups', '--'];
  const environment = ['env', `--chdir=${HOME}`, `HOME=${HOME}`, `XDG_RUNTIME_DIR=${RUNTIME}`, 'USER=moored'];
  return host.run([...user, ...environment, ...argv], { deadlineMs: 60_000 });
}

async function must(host: Host, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await asUser(host, ...argv);
  if (code === 0) return stdout;
  throw new Error(`${argv.join(' ')}: exit ${code}\n${stderr}${stdout}`);
}

test('rootless podman', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await makeUser(host);
    // Where an executable that root ran on the machine has laid its module, nobody else can look.
    await host.shell('rm -rf /var/lib/cni/netmoor');
    await must(host, 'podman', 'import', '--quiet', `${HOME}/rootfs.tar`, IMAGE);
    const options = ['--detach', '--cgroups=disabled', '--network', 'front'];
    for (const name of ['c1', 'c2'])
      await must(host, 'podman', 'run', '--name', name, ...options, IMAGE, 'sleep', '1000000');
    const inside = ['podman', 'unshare', '--rootless-netns', NETMOOR];
    const listed = JSON.parse(await must(host, ...inside, 'ls', '--json')) as {
      name: string;
      addresses: { address: string }[];
    }[];
    t.match(listed, [
      { network: 'front', name: 'c1', state: 'attached' },
      { network: 'front', name: 'c2' },
    ]);
    const address = listed[1]?.addresses[0]?.address.replace(/\/.*/, '') ?? '';
    await must(
      host,
      'podman',
      'exec',
      '--detach',
      'c2',
      'nc',
      '-l',
      '-p',
      '8080',
      '-e',
      'echo',
      'this is c2',
    );
    const heard = async () =>
      (await must(host, 'podman', 'exec', 'c1', 'nc', '-w', '2', address, '8080')).trim();
    t.equal(await until(heard, 'c2 answers'), 'this is c2');
    t.match(await asUser(host, ...inside, 'check'), { code: 0 }, 'all is as promised');

    for (const way of [[NETMOOR], ['podman', 'unshare', NETMOOR]]) {
      const elsewhere = await asUser(host, ...way, 'ls', '--json');
      t.match(elsewhere, { code: 0, stdout: '[]\n' });
      t.match(
        elsewhere.stderr,
        naming('podman unshare --rootless-netns netmoor'),
        'an empty list has a word with it',
      );
    }
    t.equal((await host.run([NETMOOR, 'ls'])).stderr, '', 'but not one for root of the host');

    await must(host, 'podman', 'rm', '--force', '--time', '0', 'c1', 'c2');
    t.same(JSON.parse(await must(host, ...inside, 'ls', '--json')), [], 'nothing is attached any more');
  });
});
