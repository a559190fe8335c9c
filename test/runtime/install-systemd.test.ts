/** netmoor install under a real systemd: units enabled and running, ended and gone with the rest. */
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { Machine } from './systemd-machine.ts';
import { BUILT } from '../kernel/install-bed.ts';
import { withHost } from '../kernel/harness.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'dbus-daemon');

/** As an unpacked tarball has it: executable and launcher side by side. */
const UNPACKED = `mkdir -p opt/new; cp ${BUILT} ${BUILT.replace(/bin\/netmoor$/, 'build/launcher')} opt/new/`;
const NETMOOR = '/opt/netmoor/bin/netmoor';
const UNITS = ['netmoor-repair', 'netmoor-repair-reload', 'netmoor-engine'].map((name) => `${name}.service`);

t.test('the engine, and repair', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const machine = await Machine.boot(host, UNPACKED);
    await machine.must('/opt/new/netmoor', 'install', '--prefix', '/opt/netmoor', '--engine');
    t.equal(
      (await machine.must('systemctl', 'is-enabled', ...UNITS)).trim(),
      UNITS.map(() => 'enabled').join('\n'),
    );
    const pid = await machine.property('netmoor-engine.service', 'MainPID');
    const status = JSON.parse(await machine.must(NETMOOR, 'engine', 'status', '--json')) as object;
    t.match(
      status,
      { running: true, pid: Number(pid), startedBy: 'systemd', idleExit: undefined },
      'it stays',
    );
    const again = await machine.must(NETMOOR, 'install');
    t.notMatch(again, /^(wrote|replaced|removed)/m, 'nothing to do');
    t.equal(await machine.property('netmoor-engine.service', 'MainPID'), pid, 'and nothing restarted');
    await machine.shell('echo >> /opt/new/netmoor; /opt/new/netmoor install --prefix /opt/netmoor');
    t.not(await machine.property('netmoor-engine.service', 'MainPID'), pid, 'another version');
    t.equal(await machine.property('netmoor-engine.service', 'ActiveState'), 'active');
    await machine.shell("echo '# mine' >> /etc/systemd/system/netmoor-repair.service");
    const told = await machine.must(NETMOOR, 'uninstall', '--purge');
    t.match(told, /^left \/etc\/systemd\/system\/netmoor-repair\.service/m);
    t.equal(await machine.property('netmoor-engine.service', 'ActiveState'), 'inactive');
    const left = await machine.shell(
      "find /etc/systemd /opt /run/netmoor -name '*netmoor*' ! -path '*nspawn@*' 2>/dev/null || true",
    );
    t.same(left.trim().split('\n').toSorted(), [
      '/etc/systemd/system/netmoor-repair.service',
      '/opt/new/netmoor',
    ]);
  });
});
