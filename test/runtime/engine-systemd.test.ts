/** The engine's units under a real systemd: started by the first request, again after a kill, ended as it should. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { HEADER_BYTES, decodeAnswer, encodeFrame } from '../../lib/engine/protocol.ts';
import type { EngineAnswer } from '../../lib/engine/protocol.ts';
import { pluginRequest } from '../../lib/engine/request.ts';
import { Machine } from './systemd-machine.ts';
import { SOCKET, callOf } from '../kernel/engine-bed.ts';
import { laterFrame } from '../kernel/launcher-bed.ts';
import { until, withHost } from '../kernel/harness.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'systemd-analyze', 'dbus-daemon', 'socat');

const UNITS = fileURLToPath(new URL('../../cli/engine/units/', import.meta.url));
const SERVICE = 'netmoor-engine.service';
const UNIT_SOCKET = 'netmoor-engine.socket';

function copied(name: string): string {
  return `cat > etc/systemd/system/${name} <<'end'\n${readFileSync(`${UNITS}${name}`, 'utf8')}end\n`;
}

const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };

/** "device:inode" of the machine's own namespaces, in which systemd and its services are. */
async function namespace(machine: Machine, kind: 'net' | 'mnt'): Promise<string> {
  return (await machine.must('stat', '-Lc', '%d:%i', `/proc/1/ns/${kind}`)).trim();
}

/** Asks the engine for what a plugin would, from inside the machine. */
async function ask(machine: Machine, command: 'ADD' | 'DEL', container: string): Promise<EngineAnswer> {
  const { program, environment, config } = callOf(command, container, CONFIG);
  const stdin = Buffer.from(JSON.stringify(config));
  const frame = encodeFrame({
    ...pluginRequest({ program, environment, stdin, deadline: 60_000 }),
    netns: await namespace(machine, 'net'),
    mntns: await namespace(machine, 'mnt'),
  });
  const text = frame.toString('base64');
  const answer = await machine.shell(
    `echo ${text} | base64 -d | socat -t 60 - UNIX-CONNECT:${SOCKET} | base64 -w 0`,
  );
  return decodeAnswer(Buffer.from(answer, 'base64').subarray(HEADER_BYTES));
}

t.test('the units are in order', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const script = `
mkdir -p /run/verify
cp -r ${UNITS}* /run/verify
cd /run/verify
sed -i 's|/usr/local/bin/netmoor|/bin/true|' *.service *.d/*.conf
systemd-analyze verify --man=no ./*.socket ./*.service 2>&1`;
    t.equal((await host.shell(script)).trim(), '');
  });
});

t.test('rules come back with the firewall', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const units = ['netmoor-repair.service', 'netmoor-repair-reload.service'];
    const machine = await Machine.boot(host, units.map(copied).join(''));
    const config = JSON.stringify(CONFIG);
    await machine.shell(`
ip netns add c1
export CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/c1 CNI_PATH=/usr/local/bin
echo '${config}' | bridge-nat
systemctl daemon-reload
systemctl enable --quiet ${units.join(' ')}
systemctl start ${units[1]}`);
    const whole = async (): Promise<boolean> => (await machine.run(['netmoor', 'check'])).code === 0;
    t.equal(await whole(), true);
    for (const verb of ['start', 'restart', 'reload', 'reload']) {
      await machine.shell(`nft flush ruleset; systemctl ${verb} nftables.service`);
      await until(whole, `rules after ${verb}`, 30_000);
      t.equal(await machine.property('nftables.service', 'ActiveState'), 'active', verb);
    }
    for (const unit of units) t.equal(await machine.property(unit, 'Result'), 'success', unit);
  });
});

t.test('under a real systemd', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const machine = await Machine.boot(host, [SERVICE, UNIT_SOCKET].map(copied).join(''));
    await machine.shell(`systemctl start ${UNIT_SOCKET}; ip netns add c1; ip netns add c2`);
    const state = async (unit: string): Promise<string> => machine.property(unit, 'ActiveState');
    t.equal(await state(SERVICE), 'inactive', 'nobody has asked yet');
    t.equal((await machine.must('stat', '-c', '%a %u %F', SOCKET)).trim(), '600 0 socket');

    t.match(await ask(machine, 'ADD', 'c1'), { exitCode: 0 }, 'the first request starts it');
    t.match(await machine.must('ip', '-n', 'c1', 'address', 'show', 'dev', 'eth0'), /inet 10\./);
    t.equal(await state(SERVICE), 'active');
    const pid = await machine.property(SERVICE, 'MainPID');
    const report = JSON.parse(await machine.must('netmoor', 'engine', 'status', '--json'));
    t.match(report, { running: true, pid: Number(pid), startedBy: 'systemd', requests: { served: 1 } });
    const environment = await machine.shell(`tr '\\0' '\\n' < /proc/${pid}/environ`);
    t.match(environment, /NOTIFY_SOCKET/, 'it is told whom to notify');

    await machine.must('kill', '-KILL', pid);
    await until(
      async () => !['', '0', pid].includes(await machine.property(SERVICE, 'MainPID')),
      'another one',
      30_000,
    );
    t.match(await ask(machine, 'DEL', 'c1'), { exitCode: 0 }, 'it knows what the killed one had done');
    t.match(await ask(machine, 'ADD', 'c2'), { exitCode: 0 });
    t.match(await machine.run(['netmoor', 'engine']), { code: 1 }, 'a second one does not begin');

    const before = await machine.property(SERVICE, 'MainPID');
    const later = laterFrame('/usr/local/bin/netmoor').toString('base64');
    const said = await machine.shell(`echo ${later} | base64 -d | socat -t 60 - UNIX-CONNECT:${SOCKET}`);
    t.equal(said, 'R', 'it makes way for a later version');
    await until(
      async () =>
        (await machine.property(SERVICE, 'MainPID')) !== before && (await state(SERVICE)) === 'active',
      'the next one, though nobody asks',
      30_000,
    );
    t.equal(await machine.property(SERVICE, 'Result'), 'success');

    await machine.must('systemctl', 'stop', SERVICE);
    t.equal(await machine.property(SERVICE, 'Result'), 'success');
    t.equal(await machine.property(SERVICE, 'ExecMainStatus'), '0');
    t.match(await ask(machine, 'DEL', 'c2'), { exitCode: 0 }, 'the next request starts it again');
    t.match(await machine.run(['netmoor', 'engine', 'stop']), { code: 0 });
    await until(async () => (await state(SERVICE)) === 'inactive', 'it has ended', 30_000);
    t.equal(await machine.property(SERVICE, 'Result'), 'success');

    const journal = await machine.must('journalctl', '--no-pager', '--output=json', `--unit=${SERVICE}`);
    const entries = journal
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    const find = (text: RegExp): Record<string, string> | undefined =>
      entries.find(({ MESSAGE }) => text.test(MESSAGE ?? ''));
    t.match(find(/^bridge-nat ADD c1 eth0: done/), { PRIORITY: '6' });
    t.match(find(/^netmoor [0-9.]+ listens/), { PRIORITY: '5' });
    t.match(find(/^stopping: SIGTERM/), { PRIORITY: '5' });
  });
});

t.test('systemd takes over from an engine that a plugin has started', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const machine = await Machine.boot(host, [SERVICE, UNIT_SOCKET].map(copied).join(''));
    await machine.shell(
      'ip netns add c1; setsid netmoor engine --idle-exit 300 > /dev/null 2>&1 < /dev/null &',
    );
    const running = async (): Promise<{ running: boolean; pid?: number; startedBy?: string }> =>
      JSON.parse((await machine.run(['netmoor', 'engine', 'status', '--json'])).stdout);
    await until(async () => (await running()).running, 'it runs', 20_000);
    const { pid } = await running();
    t.match(await ask(machine, 'ADD', 'c1'), { exitCode: 0 });
    await machine.must('systemctl', 'start', UNIT_SOCKET);
    t.match(await ask(machine, 'DEL', 'c1'), { exitCode: 0 });
    const report = await running();
    t.match(report, { running: true, startedBy: 'systemd' });
    t.not(report.pid, pid);
    t.match(await machine.run(['test', '-e', `/proc/${pid}`]), { code: 1 }, 'the first one has gone');
  });
});
