/** How the engine begins and ends: one for a host, whoever starts it, whatever was left by one that was killed. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  NETMOOR,
  SOCKET,
  askStatus,
  callOf,
  drive,
  failures,
  hostPid,
  noEngine,
  signalEngine,
  startEngine,
} from './engine-bed.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host } from './harness.ts';

const skip = lacking() ?? false;

const STARTER = fileURLToPath(new URL('engine-starter.ts', import.meta.url));
const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };

interface Started {
  readonly pid?: number;
  readonly trouble?: string;
  readonly message?: string;
}

async function start(host: Host, idle = '300', executable = NETMOOR): Promise<Started> {
  return JSON.parse(await host.must([process.execPath, STARTER, executable, idle])) as Started;
}

/** The processes that are engines. */
async function engines(host: Host): Promise<number[]> {
  const { stdout } = await host.run(['pgrep', '-f', '^netmoor engine --idle']);
  return stdout.trim().split('\n').filter(Boolean).map(Number);
}

t.test('many who need it at once get one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const started = await Promise.all(Array.from({ length: 8 }, () => start(host)));
    const pids = new Set(started.map(({ pid }) => pid));
    t.equal(pids.size, 1, JSON.stringify(started));
    const [pid] = pids;
    t.same(await engines(host), [pid]);
    const report = await askStatus(host);
    t.match(report, { running: true, startedBy: 'plugin', idleExit: 300 });
    const session = await host.must(['ps', '-o', 'sid=,tty=', '-p', String(pid)]);
    t.match(session.trim().split(/\s+/), [String(pid), '?'], 'in a session of its own');
    t.equal((await host.must(['readlink', `/proc/${pid}/cwd`])).trim(), '/');
    const environment = await host.must(['sh', '-c', `tr '\\0' '\\n' < /proc/${pid}/environ`]);
    t.match(environment, /^PATH=[^\n]*\n$/, 'with nothing of the environment of whoever started it');
    t.equal((await host.must(['stat', '-c', '%a %u %F', SOCKET])).trim(), '600 0 socket');
    t.equal((await host.must(['stat', '-c', '%a', '/run/netmoor'])).trim(), '700');
    t.match(await host.run([NETMOOR, 'engine']), { code: 1, stderr: /there is an engine already/ });
    t.match(await host.run([NETMOOR, 'engine', 'stop']), { code: 0 });
    await noEngine(host);
    t.match(await host.run([NETMOOR, 'engine', 'status']), { code: 1, stdout: /no engine/ });
    t.match(await host.run([NETMOOR, 'engine', 'stop']), { code: 0 }, 'absence is fine');
  });
});

t.test('started by different ways at once, there is one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const foreground = Array.from({ length: 3 }, () => host.start([NETMOOR, 'engine']));
    const started = await Promise.all(Array.from({ length: 3 }, () => start(host)));
    const running = await hostPid(host);
    for (const { pid } of started) t.equal(pid, running);
    const count = async (): Promise<number> =>
      (await engines(host)).length + foreground.filter(({ ended }) => !ended).length;
    await until(async () => (await count()) === 1, 'the others have gone');
  });
});

t.test('killed at any moment, the next one takes its place', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const first = await start(host);
    await signalEngine(host, 'KILL');
    await until(async () => (await engines(host)).length === 0, 'it is dead');
    t.match(await host.run(['test', '-S', SOCKET]), { code: 0 }, 'its socket is still there');
    t.match(await askStatus(host), { running: false });
    const seen = new Set([first.pid]);
    for (let round = 0; round < 8; round++) {
      // Killed while it begins, and whoever waits for it is told or gets another.
      const waiting = [start(host), start(host)];
      const begun = await until(
        async () => ((await engines(host)).length > 0 ? engines(host) : undefined),
        'one begins',
      );
      await host.run(['kill', '-KILL', ...begun.map(String)]);
      for (const { pid, trouble } of await Promise.all(waiting))
        t.ok(pid !== undefined || trouble === 'absent' || trouble === 'lost', `${pid} ${trouble}`);
      const { pid } = await start(host);
      t.ok(pid !== undefined && !seen.has(pid), 'and the next is there');
      seen.add(pid);
      await host.must(['kill', '-KILL', String(pid)]);
      await until(async () => (await engines(host)).length === 0, 'it is dead');
    }
  });
});

t.test('what is not the engine at its place is refused', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('mkdir -m 700 /run/netmoor');
    const hostile = async (script: string, what: string): Promise<void> => {
      await host.shell(`rm -f ${SOCKET}; ${script}`);
      t.match(await start(host), { trouble: 'hostile' }, what);
      t.match(
        await host.run([NETMOOR, 'engine']),
        { code: 1, stderr: /not the engine's socket|alone can write/ },
        what,
      );
    };
    await hostile(`ln -s /run/other.sock ${SOCKET}`, 'a symbolic link');
    await hostile(`echo > ${SOCKET}`, 'a file');
    await hostile(`mkfifo ${SOCKET}`, 'a FIFO');
    await host.shell(`rm -f ${SOCKET}`);
    const fake = host.start(['socat', `UNIX-LISTEN:${SOCKET},fork,user=nobody`, 'EXEC:true']);
    await until(async () => (await host.run(['test', '-S', SOCKET])).code === 0, 'a socket');
    await until(async () => (await host.must(['stat', '-c', '%u', SOCKET])).trim() !== '0', 'of somebody');
    t.match(await start(host), { trouble: 'hostile' }, 'the socket of somebody else');
    await fake.stop();
    await host.shell(`rm -f ${SOCKET}; chmod 777 /run/netmoor`);
    t.match(await start(host), { trouble: 'hostile' }, 'a directory that everybody can write to');
    await host.shell('chmod 700 /run/netmoor');
    t.match(await start(host, '300', '/nowhere/netmoor'), { trouble: 'absent' }, 'no executable');
    t.match(await start(host, '300', '/bin/true'), { trouble: 'absent' }, 'another executable');
    t.ok((await start(host)).pid, 'and then it starts');
  });
});

t.test('it goes when nobody needs it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    t.ok((await start(host, '1')).pid);
    await until(async () => (await engines(host)).length === 0, 'it has gone', 15_000);
    t.match(await host.run(['test', '-e', SOCKET]), { code: 1 }, 'with its socket');
    t.ok((await start(host, '1')).pid, 'and comes again');
  });
});

t.test('a plugin that asks while the engine goes asks the next one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const script = `
      import { askPlugin } from ${JSON.stringify(new URL('../../lib/engine/ask-plugin.ts', import.meta.url).href)};
      const patience = {
        monotonic: () => performance.now(),
        pause: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
      };
      const args = ['engine', '--idle-exit', '300', '--ready-fd', '3'];
      const command = { file: ${JSON.stringify(NETMOOR)}, args };
      const environment = { CNI_COMMAND: 'VERSION' };
      for (let i = 0; i < 150; i++) {
        const call = { program: 'bridge-nat', environment, stdin: Buffer.alloc(0), deadline: 30_000 };
        const { exitCode } = askPlugin(call, patience, command);
        if (exitCode !== 0) throw new Error('no success');
      }
      process.stdout.write('all');
      process.exit(0);`;
    const asking = host.start([process.execPath, '--input-type=module', '-e', script]);
    let stops = 0;
    while (!asking.ended) {
      await host.must([NETMOOR, 'engine', 'stop']);
      stops += 1;
    }
    t.equal(asking.output, 'all', asking.errors);
    t.ok(stops > 2, `${stops} times`);
  });
});

t.test('nothing of its starter stays open', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const script = `exec 7>/run/inherited; mkfifo /run/pipe; exec 8<>/run/pipe; exec ${process.execPath} ${STARTER} ${NETMOOR}`;
    const { pid } = JSON.parse(await host.must(['sh', '-c', script])) as Started;
    const open = await host.must(['ls', '-l', `/proc/${pid}/fd`]);
    t.notMatch(open, /inherited|\/run\/pipe/);
  });
});

t.test('told to stop, it answers what is under way first', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const engine = await startEngine(host);
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    for (const name of names) await host.container(name);
    const adds = drive(
      host,
      names.map((name) => callOf('ADD', name, CONFIG)),
    );
    const pid = await hostPid(host);
    await until(async () => ((await askStatus(host)).requests?.served ?? 0) > 0, 'it works');
    await host.must(['kill', '-TERM', String(pid)]);
    const { answers } = await adds;
    await engine.end();
    t.equal(engine.child.exitCode, 0);
    t.match(engine.errors, /stopping: SIGTERM\n(.*\n)*stopped\n$/);
    for (const answer of answers)
      t.ok(answer === null || 'refused' in answer || ('exitCode' in answer && answer.exitCode === 0));
    const links = await host.ip('link', 'show', 'type', 'veth');
    const done = answers.filter((answer) => answer !== null && 'exitCode' in answer).length;
    t.equal(links.filter(({ master }) => master !== undefined).length, done, 'what was answered is done');
  });
});

t.test('killed half-way, its clients are told, and doing it again works', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const names = Array.from({ length: 50 }, (_, i) => `c${i}`);
    for (const name of names) await host.container(name);
    for (const command of ['ADD', 'DEL'] as const) {
      const engine = await startEngine(host);
      const pid = String(await hostPid(host));
      const calls = drive(
        host,
        names.map((name) => callOf(command, name, CONFIG)),
      );
      await engine.until(() => /done in/.test(engine.errors), 'first answer', 20_000);
      await host.must(['kill', '-KILL', pid]);
      const { answers } = await calls;
      t.ok(answers.includes(null), `${command}: those that were not answered are told so`);
      await engine.end();
      const again = await startEngine(host);
      const rest = names.filter((_, i) => answers[i] === null);
      if (command === 'ADD')
        t.same(
          failures(
            await drive(
              host,
              rest.map((name) => callOf('DEL', name, CONFIG)),
            ),
          ),
          [],
        );
      t.same(
        failures(
          await drive(
            host,
            rest.map((name) => callOf(command, name, CONFIG)),
          ),
        ),
        [],
      );
      await signalEngine(host, 'TERM');
      await again.end();
    }
    const links = await host.ip('link', 'show', 'type', 'veth');
    t.equal(links.filter(({ ifname }) => ifname !== 'uplink').length, 0, 'nothing is left');
  });
});
