/** netmoor install and uninstall: what is written and taken away, upgrades, what is somebody else's. */
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacking, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { BUILT, actionsOf, install, listing, makeInstallable, uninstall } from './install-bed.ts';
import { completes } from './shells.ts';
import { naming } from '../naming.ts';

const INSTALLED = '/usr/local/bin/netmoor';
const OWN = '/usr/local/lib/netmoor';
const CNI = '/opt/cni/bin';

function read(host: Host, path: string): string {
  return readFileSync(host.path(path), 'utf8');
}

/** Be it a link, which from outside leads out of the host. */
function isThere(host: Host, path: string): boolean {
  return lstatSync(host.path(path), { throwIfNoEntry: false }) !== undefined;
}

t.test('once, again, elsewhere, and gone', { skip: lacking('fish', 'zsh') ?? false }, async (t) => {
  await withHost(t, async (host) => {
    await makeInstallable(host, 'bare');
    const before = await listing(host);
    const planned = await install(host, BUILT, '--dry-run');
    t.same(await listing(host), before, 'a dry run writes nothing');
    const first = await install(host, BUILT);
    t.equal(first.code, 0);
    t.same([...new Set(Object.values(actionsOf(first)))], ['write']);
    t.same(actionsOf(planned), actionsOf(first), 'it had said so');
    t.ok(first.view.launcher);

    for (const name of ['bridge-nat', 'macvlan-v6', 'dhcp-ipam', 'netmoor', 'loopback']) {
      t.equal(readlinkSync(host.path(`${CNI}/${name}`)), `${OWN}/launcher`);
      const version = await host.run([`${CNI}/${name}`], { env: { CNI_COMMAND: 'VERSION' } });
      t.match(JSON.parse(version.stdout), { cniVersion: '1.1.0' }, name);
    }
    t.notOk(isThere(host, `${CNI}/bridge`), 'others are for those who ask');
    t.equal((await host.run(['netmoor', 'ls'])).code, 0, 'it is in the PATH');
    t.equal(
      read(host, '/usr/share/containers/oci/hooks.d/99-netmoor.json').includes('/usr/local/bin/netmoor-hook'),
      true,
    );
    t.match(JSON.parse(read(host, '/etc/cni/net.d/10-netmoor.conflist')), { name: 'netmoor' });
    t.match(await host.must(['netmoor', 'networks']), 'netmoor');
    await completes(t, host);

    const record = lstatSync(host.path(`${OWN}/installed.json`)).ino;
    const again = await install(host, INSTALLED);
    t.same(
      [again.code, [...new Set(Object.values(actionsOf(again)))]],
      [0, ['keep']],
      'from where it is installed',
    );
    t.equal(lstatSync(host.path(`${OWN}/installed.json`)).ino, record, 'nothing was written');

    const named = await install(host, INSTALLED, '--names', 'host-local,bridge');
    t.equal(actionsOf(named)[`${CNI}/bridge`], 'write');
    t.match((await install(host, INSTALLED, '--names', 'portmap')).error, {
      code: 7,
      msg: naming('portmap', 'serve'),
    });
    const moved = actionsOf(await install(host, INSTALLED, '--cni-bin', '/opt/plugins'));
    t.match(
      moved,
      { '/opt/plugins/bridge': 'write', [`${CNI}/bridge`]: 'remove' },
      'what was asked for holds',
    );
    t.notOk(isThere(host, `${CNI}/bridge-nat`));

    await host.shell('ln -s bin /usr/local/links; ln -s nowhere /opt/dangling');
    t.match(
      (await install(host, INSTALLED, '--cni-bin', '/usr/local/links')).error,
      { code: 7, msg: naming('/usr/local/links') },
      'the command itself would be overwritten',
    );
    t.match((await install(host, INSTALLED, '--cni-bin', '/opt/dangling/bin')).error, {
      code: 5,
      msg: naming('/opt/dangling/bin'),
      details: naming('link'),
    });
    await host.shell('rm /usr/local/links /opt/dangling');
    t.ok(isThere(host, '/opt/plugins/bridge-nat'), 'nothing was changed');

    const second = await install(host, INSTALLED, '--prefix', '/opt/netmoor', '--cni-bin', '/opt/others');
    t.match(second.error, { code: 5, msg: naming('99-netmoor.json') }, 'the hook is of the first');
    t.match((await uninstall(host, INSTALLED, '--prefix', '/opt/netmoor')).error, { code: 5 });

    const foreseen = await uninstall(host, INSTALLED, '--dry-run');
    const gone = await uninstall(host, INSTALLED);
    t.equal(gone.code, 0);
    t.same(gone.view.left, []);
    t.same(
      foreseen.view.removed.filter((path) => !gone.view.removed.includes(path)),
      [],
    );
    t.same(await listing(host), before, 'as before');
  });
});

t.test('upgrades, and what is not ours', async (t) => {
  await withHost(t, async (host) => {
    await makeInstallable(host, 'with reference');
    host.write('/etc/cni/net.d/50-mine.conflist', '{}');
    await host.shell(`mkdir -p ${CNI}; echo mine > ${CNI}/macvlan-v6; ln -s mine ${CNI}/loopback`);
    const before = await listing(host);
    const refused = await install(host, BUILT);
    t.match(refused, {
      code: 1,
      error: { code: 5, msg: naming(`${CNI}/macvlan-v6`), details: naming('--force') },
    });
    t.same(await listing(host), before, 'all or nothing');
    const forced = await install(host, BUILT, '--force');
    t.match(actionsOf(forced), {
      [`${CNI}/macvlan-v6`]: 'aside',
      [`${CNI}/loopback`]: 'aside',
      '/etc/cni/net.d/10-netmoor.conflist': undefined,
    });
    t.equal(read(host, `${CNI}/macvlan-v6.before-netmoor`), 'mine\n');
    t.equal((await uninstall(host, INSTALLED)).code, 0);
    t.same(await listing(host), before, 'and everything is back');

    await host.shell(`rm ${CNI}/macvlan-v6`);
    const second = await install(host, BUILT);
    t.equal(actionsOf(second)[`${CNI}/loopback`], 'leave', 'there is one');
    t.match((await install(host, BUILT, '--names', 'bridge')).error, {
      code: 5,
      msg: naming('/usr/lib/cni/bridge'),
    });

    // Another version, while the one before runs.
    const engine = host.start([INSTALLED, 'engine']);
    await engine.until(() => existsSync(host.path('/run/netmoor/engine.sock')), 'engine');
    await host.shell(`mkdir /run/newer; cp ${BUILT} ${BUILT.replace(/bin\/netmoor$/, 'build/launcher')} /run/newer
echo >> /run/newer/netmoor
echo '# mine' >> /usr/local/lib/systemd/system/netmoor-repair.service`);
    const upgraded = await install(host, '/run/newer/netmoor');
    t.equal(upgraded.code, 0);
    t.match(actionsOf(upgraded), {
      [`${OWN}/netmoor`]: 'replace',
      [`${OWN}/launcher`]: 'keep',
      '/usr/local/lib/systemd/system/netmoor-repair.service': 'leave',
    });
    t.equal(
      (await host.run(['netmoor', 'engine', 'status'])).code,
      1,
      'the engine of the version before has ended',
    );
    await engine.end();
    t.equal((await host.run(['netmoor', 'version'])).code, 0);

    // Somebody was killed over it: what is there is ours all the same.
    const record = JSON.parse(read(host, `${OWN}/installed.json`)) as object;
    host.write(`${OWN}/installed.json`, JSON.stringify({ ...record, unfinished: true }));
    await host.shell(
      `echo half > /usr/local/bin/.netmoor.netmoor-new-99999999; echo half > ${OWN}/launcher; rm ${CNI}/bridge-nat`,
    );
    t.match(actionsOf(await install(host, BUILT)), {
      [`${OWN}/launcher`]: 'replace',
      [`${CNI}/bridge-nat`]: 'write',
    });
    t.notMatch(read(host, `${OWN}/installed.json`), 'unfinished');
    await host.shell('rm /usr/local/bin/netmoor');
    await install(host, BUILT);
    t.same(await host.run(['sh', '-c', 'ls -A /usr/local/bin | grep new-']), {
      code: 1,
      stdout: '',
      stderr: '',
    });

    host.write(`${OWN}/installed.json`, '{');
    t.match((await uninstall(host, INSTALLED)).error, { code: 5, msg: naming('installed.json') });
    t.equal((await install(host, INSTALLED, '--force')).code, 0, 'begins anew');

    await host.shell(`echo half > ${OWN}/.launcher.netmoor-new-99999999`);
    host.write('/usr/local/share/zsh/site-functions/_netmoor', 'mine');
    const gone = await uninstall(host, INSTALLED);
    t.match(gone.view.left, [{ path: '/usr/local/share/zsh/site-functions/_netmoor' }]);
    t.equal(read(host, '/usr/local/share/zsh/site-functions/_netmoor'), 'mine');
    t.notOk(existsSync(host.path(OWN)));
  });
});

t.test('containers, the engine, systemd, privileges', async (t) => {
  await withHost(t, async (host) => {
    await makeInstallable(host, 'bare');
    // A systemd that writes down what it is told, and may refuse to enable anything.
    await host.shell(`mkdir -p /run/systemd/system /run/told; touch /run/told/refuses
printf '#!/bin/sh\\necho "$*" >> /run/told/log; test "$1" != enable -o ! -e /run/told/refuses\\n' > /usr/local/sbin/systemctl
chmod +x /usr/local/sbin/systemctl`);
    const before = await listing(host);
    const units =
      'netmoor-repair.service netmoor-repair-reload.service netmoor-engine.socket netmoor-engine.service';
    const told = async (code: number): Promise<string[]> => {
      host.write('/run/told/log', '');
      t.equal((await install(host, BUILT, '--engine')).code, code);
      return read(host, '/run/told/log').trim().split('\n');
    };
    t.same(await told(1), ['daemon-reload', `enable --now ${units}`]);
    await host.shell('rm /run/told/refuses');
    t.same(
      await told(0),
      ['daemon-reload', `enable --now ${units}`],
      'and once more, since that was not done',
    );
    t.same(await told(0), [''], 'that was done');
    t.match(
      read(host, '/usr/local/lib/systemd/system/netmoor-engine.service.d/stay.conf'),
      'ExecStart=/usr/local/bin/netmoor engine\n',
    );

    const asNobody = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      INSTALLED,
      'install',
      '--json',
    ];
    const powerless = await host.run([...asNobody, '--prefix', '/opt/nobody']);
    t.match([powerless.code, JSON.parse(powerless.stdout)], [1, { code: 106, details: naming('root') }]);
    await host.shell('mkdir /run/ro; mount -t tmpfs -o ro tmpfs /run/ro');
    t.match((await install(host, INSTALLED, '--prefix', '/run/ro/netmoor')).error, {
      code: 5,
      details: naming('read-only'),
    });

    await host.must(['netmoor', 'attach', '--create', 'web', 'netmoor']);
    host.write(
      '/etc/cni/net.d/20-other.conflist',
      JSON.stringify({
        cniVersion: '1.0.0',
        name: 'other',
        plugins: [{ type: 'bridge-nat', ipam: { subnet: '10.61.0.0/24', dataDir: '/run/other' } }],
      }),
    );
    await host.must(['netmoor', 'attach', '--create', 'db', 'other']);
    const attached = await uninstall(host, INSTALLED);
    t.match(attached, { code: 1, error: { code: 50, msg: naming('netmoor/web', 'other/db') } });
    await host.must(['netmoor', 'detach', '--netns', 'web', '--delete']);
    t.match(
      (await uninstall(host, INSTALLED)).error,
      { code: 50, msg: naming('other/db') },
      'in another store',
    );
    t.equal((await host.run([INSTALLED, 'ls'])).code, 0, 'it is all there');

    const engine = host.start([INSTALLED, 'engine']);
    await engine.until(() => existsSync(host.path('/run/netmoor/engine.sock')), 'engine');
    const gone = await uninstall(host, INSTALLED, '--force', '--purge');
    t.equal(gone.code, 0);
    await engine.end();
    t.match(read(host, '/run/told/log'), `disable --now ${units}\n`);
    t.same(
      [existsSync(host.path('/var/lib/cni/netmoor')), existsSync(host.path('/run/other/leases.db'))],
      [false, false],
    );
    await host.shell('rm /etc/cni/net.d/20-other.conflist');
    t.same(await listing(host), before, 'as before');
  });
});

t.test('/var, /run and /tmp mounted noexec', async (t) => {
  await withHost(t, async (host) => {
    await makeInstallable(host, 'bare');
    // Wherever the checkout is, it may be under one of these.
    const built = '/opt/built/bin/netmoor';
    await host.shell(`rm -rf /var/lib/cni/netmoor; mkdir /opt/built; mount --bind ${join(BUILT, '../..')} /opt/built
for tree in var run; do mount -o remount,bind,noexec /$tree; done; mount -t tmpfs -o noexec tmpfs /tmp`);
    t.equal((await install(host, built, '--prefix', '/opt/netmoor')).code, 0);
    const unit = read(host, '/etc/systemd/system/netmoor-repair.service');
    t.match(unit, /^ExecStart=\/opt\/netmoor\/bin\/netmoor repair$/m);
    const netmoor = '/opt/netmoor/bin/netmoor';
    await host.must([netmoor, 'attach', '--create', 'web', 'netmoor']);
    t.equal((await host.run([netmoor, 'check'])).code, 0);
    await host.must([netmoor, 'detach', '--netns', 'web', '--delete']);
    const laid = [
      '/var/lib/cni/netmoor/native',
      '/run/netmoor/native',
      '/opt/netmoor/lib/netmoor/.netmoor-native',
    ];
    t.same(
      laid.filter((path) => existsSync(host.path(path))),
      [],
      'nothing had to be laid down',
    );

    await host.container('c1');
    await host.shell(`mkdir /run/bare; mount -t tmpfs -o mode=755 tmpfs /run/bare; cp ${built} /run/bare/bridge-nat
mount -o remount,bind,ro /run/bare; mount -t tmpfs tmpfs /dev/shm`);
    const call = {
      config: { cniVersion: '1.0.0', name: 'harbour', type: 'bridge-nat' },
      containerId: 'c1',
      ifname: 'eth0',
      netns: '/run/netns/c1',
    };
    const bare = ['/run/bare/bridge-nat'];
    t.equal((await host.cni(bare, 'ADD', call)).code, 0, 'from memory');
    t.equal((await host.cni(bare, 'DEL', call)).code, 0);
    t.equal(await host.must(['find', '/dev/shm', '-type', 'f']), '');
    await host.shell('mount -o remount,bind,noexec /dev/shm');
    const { code, json } = await host.cni(bare, 'ADD', call);
    t.match(
      [code, json],
      [
        1,
        { code: 5, msg: naming('/var/lib/cni/netmoor/native'), details: naming('netmoor install', 'noexec') },
      ],
    );
  });
});
