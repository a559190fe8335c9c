/**
 * The Debian package on a host of its own: installed by dpkg, used by podman and containerd, upgraded and removed under
 * a running container, and purged, after which nothing of it is left.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { NODE, TARGETS } from '../../cli/build/paths.ts';
import { makeBundle } from '../../cli/package/bundle.ts';
import { makeDeb } from '../../cli/package/deb.ts';
import { ask, serve, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { completes } from '../kernel/shells.ts';
import { naming } from '../naming.ts';
import { Containerd } from './containerd.ts';
import { lackingFor } from './lacking.ts';
import { Podman } from './podman.ts';
import { reachesOutside, serveAll } from './traffic.ts';

t.setTimeout(180_000);

const PROGRAMS = [
  'dpkg',
  'dpkg-deb',
  'podman',
  'conmon',
  'runc',
  'containerd',
  'busybox',
  'jq',
  'fish',
  'zsh',
];
const skip = lackingFor(...PROGRAMS);

/** Everything that dpkg or the programs write is in layers: /etc, /var and /opt in every host, here /usr as well. */
const USR_TOO = `
mkdir /run/harness/usr /run/harness/usr.work
mount -t overlay -o lowerdir=/usr,upperdir=/run/harness/usr,workdir=/run/harness/usr.work overlay /usr
`;

const DPKG = 'dpkg --no-triggers --force-unsafe-io';

/** What is different from the machine, but for dpkg's books and the runtimes' own files. */
async function written(host: Host): Promise<string[]> {
  const text = await host.must(['sh', '-c', 'cd /run/harness && find usr etc var opt ! -type d']);
  const others = /^var\/(lib\/dpkg|log|cache\/(man|debconf)|lib\/containers|lib\/cni\/cache)\//;
  return text.split('\n').filter((path) => path !== '' && !others.test(path));
}

function networkFile(host: Host): void {
  const plugin = { type: 'bridge-nat', bridge: 'packed0', capabilities: { portMappings: true } };
  const network = { cniVersion: '0.4.0', name: 'packed', plugins: [plugin] };
  host.write('/etc/cni/net.d/10-packed.conflist', JSON.stringify(network));
}

/** The configuration of the tests names the build's own directory; here only what a package may use counts. */
function debianPaths(host: Host): void {
  const path = '/etc/containers/containers.conf';
  const text = readFileSync(host.path(path), 'utf8');
  host.write(path, text.replace(/^cni_plugin_dirs.*$/m, 'cni_plugin_dirs = ["/usr/lib/cni"]'));
}

/** Its published port answers. */
async function stillThere(t: Test, host: Host, when: string): Promise<void> {
  t.equal((await ask(host, 'tcp', world.host4, 8080))?.from, 'c1', when);
}

async function byContainerd(t: Test, host: Host): Promise<void> {
  const containerd = await Containerd.start(host);
  await host.shell('rm -rf /opt/cni');
  const seen = await containerd.foreground('c2', '/bin/ip', 'address', 'show', 'eth0');
  t.match(seen, / inet \d+\.\d+/, 'an address by the plugin in /usr/lib/cni');
  await containerd.daemon.stop();
}

async function upgradedAndRemoved(t: Test, host: Host, newer: string, container: Place): Promise<void> {
  await host.shell(`${DPKG} -i ${newer}`);
  t.match(await host.must(['dpkg', '--status', 'netmoor']), 'Version: 0.1.0+newer\n');
  await stillThere(t, host, 'after an upgrade');
  const removal = await host.run(['sh', '-c', `${DPKG} --remove netmoor`]);
  t.match(removal, { code: 0, stderr: naming('attached', 'stay') });
  await stillThere(t, host, 'after a removal');
  await reachesOutside(t, container);
  await host.shell(`${DPKG} -i ${newer}`);
}

const RELEASE = { version: '0.1.0', epoch: 1_767_225_600, target: TARGETS.x64 };
const out = t.testdir({});
const deb = await makeDeb(RELEASE, out, ['-Znone']);
const newer = await makeDeb({ ...RELEASE, version: '0.1.0+newer' }, join(out, 'newer'), ['-Znone']);

t.test('installed, used, upgraded, removed and purged', { skip }, async (t) => {
  const prepare = `${USR_TOO}echo 1 > /proc/sys/net/ipv4/ip_forward\n`;
  await withHost(
    t,
    async (host) => {
      const before = await written(host);
      await host.shell(`${DPKG} -i ${deb}`);
      t.equal(await host.must(['sh', '-c', 'dpkg --verify netmoor']), '');
      t.match(await host.must(['netmoor', 'version']), /^netmoor \d/);
      t.match(await host.must(['ls', '/etc/systemd/system/sockets.target.wants']), 'netmoor-engine.socket');
      t.match(await host.must(['man', '-w', 'bridge-nat', 'netmoor']), /man8\/bridge-nat.*man1\/netmoor/s);
      await completes(t, host);

      networkFile(host);
      const podman = await Podman.start(host);
      debianPaths(host);
      const container = await podman.container('c1', '--network', 'packed', '-p', '8080:80');
      const stopOutside = await serveAll(host.outside);
      const server = await serve(container, 'tcp', 80, { address: '0.0.0.0' });
      await stillThere(t, host, 'published by podman');
      await upgradedAndRemoved(t, host, newer, container);
      await server.stop();
      await stopOutside();
      await podman.remove('c1');
      await byContainerd(t, host);
      t.strictSame(JSON.parse(await host.must(['netmoor', 'ls', '--json'])), []);

      await host.shell(
        'SYSTEMD_OFFLINE=1 systemctl enable netmoor-repair.service netmoor-repair-reload.service netmoor-engine.service',
      );
      t.ok((await written(host)).includes('etc/systemd/system/docker.service.wants/netmoor-repair.service'));
      await host.shell(`${DPKG} --purge netmoor`);
      const ours = (path: string): boolean => path.includes('netmoor');
      const after = await written(host);
      t.strictSame(after.filter(ours), []);
      // /var/lib/cni belongs to no package, and was empty.
      const theirs = /^etc\/(cni|containers|containerd)\/|^var\/lib\/cni$/;
      t.strictSame(
        after.filter((path) => !before.includes(path) && !theirs.test(path)),
        [],
        'and nothing under other names',
      );
      t.equal(await host.must(['sh', '-c', 'ls -d /run/netmoor 2>/dev/null || true']), '');
    },
    { prepare },
  );
});

const REFERENCE = 'containernetworking-plugins';
const LOOPBACK = '/usr/lib/cni/loopback';

/** A package of that name with one file of it, in the place of Debian's. */
const MAKE_REFERENCE = `
mkdir -p /run/made/DEBIAN /run/made/usr/lib/cni
printf '#!/bin/sh\\necho theirs\\n' > /run/made${LOOPBACK}
chmod 755 /run/made${LOOPBACK}
printf 'Package: ${REFERENCE}\\nVersion: 9\\nArchitecture: all\\nMaintainer: x <x@invalid>\\nDescription: x\\n' > /run/made/DEBIAN/control
dpkg-deb -Znone --build /run/made /run/made.deb`;

t.test('loopback is there, of the reference or of netmoor', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const remove = `${DPKG} --force-depends --remove ${REFERENCE}`;
      const told = 'dpkg --triggers-only netmoor';
      const leadsTo = async (): Promise<string> =>
        (await host.must(['sh', '-c', `readlink ${LOOPBACK} || cat ${LOOPBACK}`])).trim();
      await host.shell(`${MAKE_REFERENCE}; ${DPKG} -i ${deb}`);
      t.notMatch(await host.run(['readlink', LOOPBACK]), { code: 0 }, 'who has it keeps it');
      await host.shell(`${remove}; ${told}`);
      t.equal(await leadsTo(), '../netmoor/launcher', 'the reference is gone');

      const place = await host.container('c1');
      const call = {
        config: { cniVersion: '1.0.0', name: 'lo', type: 'loopback' },
        containerId: 'c1',
        ifname: 'lo',
        netns: place.netnsPath,
        path: '/usr/lib/cni',
      };
      await host.cniMust([LOOPBACK], 'ADD', call);
      const [lo] = await place.ip('link', 'show', 'dev', 'lo');
      t.ok(lo?.flags?.includes('UP'), 'and works');

      await host.shell(`${DPKG} -i /run/made.deb; ${told}`);
      t.match(await leadsTo(), 'echo theirs', 'it comes back, and has its own');
      await host.shell(`${DPKG} --purge netmoor`);
      t.match(await leadsTo(), 'echo theirs', 'which a purge leaves');
      await host.shell(`${remove}; ${DPKG} -i ${deb}`);
      t.equal(await leadsTo(), '../netmoor/launcher', 'installed where none is');
      await host.shell(`${DPKG} -i ${newer}`);
      t.equal(await leadsTo(), '../netmoor/launcher', 'an upgrade leaves it');
      await host.shell(`${DPKG} --purge netmoor`);
      t.match(await host.run(['ls', LOOPBACK]), { code: 2 }, 'it goes with netmoor');
    },
    { prepare: USR_TOO },
  );
});

/** Records what it is asked to do with what runs; the rest is files. deb-systemd-helper has a reload of its own. */
const SYSTEMCTL = `#!/bin/sh
case "$*" in
*preset* | *is-enabled*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl "$@" ;;
*is-active*) test -e /run/active ;;
daemon-reload) ;;
*) echo "$*" >> /run/asked ;;
esac
`;

t.test('what the package asks of systemd', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      host.write('/run/asked', '');
      await host.shell(`${DPKG} -i ${deb}`);
      t.equal(readFileSync(host.path('/run/asked'), 'utf8'), '', 'where it does not run, nothing');
      await host.shell(`${DPKG} --purge netmoor; mkdir -p /run/systemd/system`);
      const asked = async (command: string): Promise<string[]> => {
        host.write('/run/asked', '');
        await host.shell(command);
        return readFileSync(host.path('/run/asked'), 'utf8').trim().split('\n');
      };
      const reload = '--system daemon-reload';
      const start = '--quiet --system start netmoor-engine.socket';
      t.strictSame(await asked(`${DPKG} -i ${deb}`), [reload, start], 'installed');
      t.strictSame(await asked(`${DPKG} -i ${newer}`), [reload, start], 'upgraded while no engine runs');
      t.strictSame(
        await asked(`touch /run/active; ${DPKG} -i ${newer}`),
        [reload, '--quiet --system restart netmoor-engine.service', start],
        'and while one does',
      );
      const stop = 'stop netmoor-engine.socket netmoor-engine.service';
      t.strictSame(await asked(`${DPKG} --remove netmoor`), [stop, reload]);
      await host.shell(
        `printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d`,
      );
      t.strictSame(await asked(`${DPKG} -i ${deb}`), [reload], 'who forbids it to start services is obeyed');
    },
    {
      prepare: `${USR_TOO}rm -f /usr/sbin/policy-rc.d
printf %s '${SYSTEMCTL}' > /usr/local/sbin/systemctl
chmod +x /usr/local/sbin/systemctl
`,
    },
  );
});

t.test('the bundle on the Node.js of the host', { skip: lackingFor('tar', 'gzip') }, async (t) => {
  const archive = makeBundle(RELEASE, t.testdir({}));
  await withHost(t, async (host) => {
    const bin = '/opt/netmoor';
    // Beside the script it comes before the host's own.
    await host.shell(
      `mkdir ${bin}; tar -xzf ${archive} -C ${bin} --strip-components=1; ln -s ${NODE} ${bin}/node`,
    );
    t.match(await host.must([`${bin}/netmoor`, 'version']), /^netmoor \d/);
    const config = { cniVersion: '1.1.0', name: 'bundled', type: 'bridge-nat' };
    const { netnsPath: netns } = await host.container('c1');
    const call = {
      config,
      containerId: 'c1',
      ifname: 'eth0',
      netns,
      path: bin,
      env: { NODE_OPTIONS: '--bad' },
    };
    const engine = host.start([`${bin}/netmoor`, 'engine']);
    await engine.until(() => engine.errors.includes('listens'), 'engine');
    t.match((await host.cniMust([`${bin}/bridge-nat`], 'ADD', call)).json, {
      interfaces: [{}, {}, { name: 'eth0' }],
    });
    t.match(JSON.parse(await host.must([`${bin}/netmoor`, 'engine', 'status', '--json'])), { running: true });
    await host.cniMust([`${bin}/bridge-nat`], 'DEL', call);
    await host.must([`${bin}/netmoor`, 'engine', 'stop']);
    await engine.end();
  });
});
