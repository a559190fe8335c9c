/** Those who would stop the engine, or have it do what it should not. */
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
  startEngine,
} from '../kernel/engine-bed.ts';
import { encodeFrame } from '../../lib/engine/protocol.ts';
import { pluginRequest } from '../../lib/engine/request.ts';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { CniAnswer, CniCommand, Host } from '../kernel/harness.ts';
import { LAUNCHED, launcherIn } from '../kernel/launcher-bed.ts';
import { takeCensus } from './soak-census.ts';

const skip = lacking('perl') ?? false;
t.setTimeout(180_000);

const INTRUDER = fileURLToPath(new URL('engine-intruder.ts', import.meta.url));
const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };

async function launch(host: Host, command: CniCommand, name: string): Promise<CniAnswer> {
  const netns = `/run/netns/${name}`;
  const call = { config: CONFIG, containerId: name, ifname: 'eth0', netns, deadlineMs: 60_000 };
  return host.cni([`${LAUNCHED}/bridge-nat`], command, call);
}

const NAMESPACES = { netns: 'net', mntns: 'mnt', pidns: 'pid', userns: 'user' } as const;

/** The namespaces of a process in the host, "device:inode". */
async function namespacesOf(
  host: Host,
  pid = 0,
  kinds: readonly string[] = Object.keys(NAMESPACES),
): Promise<Record<string, string>> {
  const asked = Object.entries(NAMESPACES).filter(([kind]) => kinds.includes(kind));
  const found = asked.map(async ([kind, name]) => [
    kind,
    (await host.shell(`stat -L -c %d:%i /proc/${pid}/ns/${name}`)).trim(),
  ]);
  return Object.fromEntries(await Promise.all(found));
}

t.test('root in a container that has the socket', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const engine = await startEngine(host);
    const before = await askStatus(host);
    const claims = await namespacesOf(host, before.pid);
    host.write('/run/evil', '#!/bin/sh\ntouch /run/evil-was-here\n', 0o755);
    const elsewhere: Readonly<Record<string, readonly string[]>> = {
      'a container': ['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--'],
      'its processes alone': ['unshare', '--pid', '--fork', '--'],
    };
    for (const [what, way] of Object.entries(elsewhere)) {
      const argv = [...way, process.execPath, INTRUDER, JSON.stringify(claims), '/run/evil'];
      const refused = { refused: { kind: 'other-namespace' } };
      t.match(
        JSON.parse(await host.must(argv)),
        { plugin: refused, later: refused, launcher: 'R', laterLauncher: 'R', stop: refused },
        what,
      );
    }
    t.match(await askStatus(host), { pid: before.pid, since: before.since, requests: { served: 0 } });
    t.match(await host.run(['test', '-e', '/run/evil-was-here']), { code: 1 });
    const inside = ['unshare', '--net', '--mount', '--', NETMOOR, 'engine', 'stop'];
    t.match(await host.run(inside), { code: 0 }, 'somebody of the host may end it wherever he looks');
    await engine.end();
  });
});

t.test(
  'who has another root directory does it himself: his paths mean something else',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      await launcherIn(host);
      await host.container('c1');
      const engine = await startEngine(host);
      // The same files, of the same mounts: nothing but the root tells the two apart.
      await host.shell('mkdir /run/root; mount --rbind / /run/root');
      const netns = '/run/netns/c1';
      const call = { config: CONFIG, containerId: 'c1', ifname: 'eth0', netns, deadlineMs: 60_000 };
      const added = await host.cni(['chroot', '/run/root', `${LAUNCHED}/bridge-nat`], 'ADD', call);
      t.equal(added.code, 0, added.stdout);
      t.match(await askStatus(host), { requests: { served: 0, refused: 1 } });
      t.equal((await launch(host, 'DEL', 'c1')).code, 0);
      t.match(await askStatus(host), { requests: { served: 1, refused: 1 } });
      await engine.stop();
      const inside = host.start(['chroot', '/run/root', NETMOOR, 'engine']);
      await inside.until(() => inside.errors.includes('listens'), 'the engine in there', 20_000);
      t.equal((await launch(host, 'ADD', 'c1')).code, 0);
      t.match(await askStatus(host), { requests: { served: 0, refused: 1 } }, 'nor from in there');
      t.equal((await launch(host, 'DEL', 'c1')).code, 0);
      await inside.stop();
    });
  },
);

t.test('a later version that others can write to is not run', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const engine = await startEngine(host);
    const { pid } = await askStatus(host);
    const claims = await namespacesOf(host, pid);
    host.write('/run/evil', '#!/bin/sh\ntouch /run/evil-was-here\n', 0o755);
    await host.shell('chmod 777 /run/evil');
    await host.must([process.execPath, INTRUDER, JSON.stringify(claims), '/run/evil']);
    await engine.end();
    t.match(await host.run(['test', '-e', '/run/evil-was-here']), { code: 1 });
  });
});

/** One after the other; who is turned away, since too many have not been taken in yet, tries again. */
const HANG = `const { connect } = require('node:net');
let open = 0;
const next = () => {
  if (open === 1100) return console.log('hanging');
  const socket = connect('${SOCKET}');
  const again = () => setTimeout(next, 20);
  socket.once('error', again).once('connect', () => {
    socket.off('error', again).on('error', () => {});
    open++;
    next();
  });
};
next();
setInterval(() => {}, 1000);`;

t.test('more hang than there is room for', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await launcherIn(host);
    for (const name of ['c1', 'c2']) await host.container(name);
    const engine = await startEngine(host);
    const pid = await hostPid(host);
    t.match(await launch(host, 'ADD', 'c1'), { code: 0 });
    t.match(await launch(host, 'DEL', 'c1'), { code: 0 });
    const before = await takeCensus(host, pid);
    const hanging = host.start([process.execPath, '-e', HANG]);
    await hanging.until(() => hanging.output.includes('hanging'), 'connections', 20_000);
    t.match(await launch(host, 'ADD', 'c1'), { code: 0 }, 'who finds no room does it alone');
    t.match(await launch(host, 'ADD', 'c2'), { code: 0 });
    await until(async () => (await askStatus(host)).connections === 1, 'they are sent away', 30_000);
    const after = await takeCensus(host, pid);
    t.equal(after.descriptors['socket'], before.descriptors['socket']);
    await hanging.stop();
    for (const name of ['c1', 'c2']) t.match(await launch(host, 'DEL', name), { code: 0 });
    t.equal(await hostPid(host), pid);
    await engine.stop();
  });
});

t.test('one container asked for again and again keeps no other waiting', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const names = ['c1', 'c2', 'c3'];
    for (const name of ['c0', ...names]) await host.container(name);
    const engine = await startEngine(host);
    const verbs = ['ADD', 'DEL'] as const;
    const flood = { over: false };
    const calls = Array.from({ length: 600 }, (_, index) => callOf(verbs[index % 2] ?? 'ADD', 'c0', CONFIG));
    const flooding = drive(host, calls).then((driven) => {
      flood.over = true;
      return driven;
    });
    await until(async () => ((await askStatus(host)).requests?.waiting ?? 0) > 100, 'they wait', 20_000);
    const driven = await drive(
      host,
      names.map((name) => callOf('ADD', name, CONFIG)),
    );
    t.same(failures(driven), []);
    t.equal(flood.over, false, 'the others are done before');
    const codes = (await flooding).answers.map((answer) => answer && 'exitCode' in answer && answer.exitCode);
    t.ok(
      codes.every((code) => typeof code === 'number'),
      'each is answered',
    );
    t.same(
      failures(
        await drive(
          host,
          ['c0', ...names].map((name) => callOf('DEL', name, CONFIG)),
        ),
      ),
      [],
    );
    t.match((await askStatus(host)).requests, { running: 0, waiting: 0, late: 0 });
    await engine.stop();
  });
});

t.test('no room on the disk', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await launcherIn(host);
    for (const name of ['c1', 'c2']) await host.container(name);
    await host.shell(`
      mkdir -p /var/lib/cni/netmoor /run/netmoor/requests
      chmod 700 /run/netmoor
      mount -t tmpfs -o size=512k tmpfs /var/lib/cni/netmoor
      mount -t tmpfs -o nr_inodes=1 tmpfs /run/netmoor/requests`);
    const engine = await startEngine(host);
    const pid = await hostPid(host);
    t.match(await launch(host, 'ADD', 'c1'), { code: 0 }, 'where no note can be left');
    await host.shell('cat /dev/zero > /var/lib/cni/netmoor/filler 2> /dev/null || :');
    t.match(await launch(host, 'ADD', 'c2'), { code: 1, json: { code: 5 } });
    await host.shell('rm /var/lib/cni/netmoor/filler');
    t.match(await launch(host, 'ADD', 'c2'), { code: 0 });
    for (const name of ['c1', 'c2']) t.match(await launch(host, 'DEL', name), { code: 0 });
    t.match(await askStatus(host), { pid, requests: { served: 5, failed: 1 } });
    await engine.stop();
  });
});

t.test('its socket is replaced', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await launcherIn(host);
    await host.container('c1');
    const engine = await startEngine(host);
    await host.shell(`mv ${SOCKET} /run/netmoor/moved`);
    const fake = host.start(['socat', `UNIX-LISTEN:${SOCKET},fork`, 'EXEC:true']);
    await until(async () => (await host.run(['test', '-S', SOCKET])).code === 0, 'another');
    t.match(await launch(host, 'ADD', 'c1'), { code: 0 }, 'an impostor says nothing');
    await engine.end();
    t.match(await host.run(['test', '-S', SOCKET]), { code: 0 }, 'what is not its own it leaves');
    await fake.stop();
    const next = await startEngine(host);
    t.match(await launch(host, 'DEL', 'c1'), { code: 0 });
    t.match((await askStatus(host)).requests, { served: 1 });
    await next.stop();
  });
});

/** An IPAM plugin that answers DEL when it is told to, and gives an address at once. */
const SLOW = `#!/bin/sh
cat > /dev/null
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.'$(echo $CNI_CONTAINERID | tr -d c)'/24"}]}' ;;
DEL) while ! [ -e /run/go-on ]; do sleep 0.1; done ;;
esac`;

t.test('an IPAM plugin that hangs', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const slow = Array.from({ length: 8 }, (_, index) => `c${index + 2}`);
    const quick = ['q1', 'q2'];
    for (const name of [...slow, ...quick]) await host.container(name);
    host.write('/run/plugins/slow', SLOW, 0o755);
    const engine = await startEngine(host);
    const slowCall = (command: CniCommand, name: string): ReturnType<typeof callOf> => {
      const call = callOf(command, name, {
        ...CONFIG,
        name: 'slow',
        cniVersion: '1.0.0',
        ipam: { type: 'slow' },
      });
      return { ...call, environment: { ...call.environment, CNI_PATH: '/run/plugins' } };
    };
    t.same(
      failures(
        await drive(
          host,
          slow.map((name) => slowCall('ADD', name)),
        ),
      ),
      [],
    );
    t.same(
      failures(
        await drive(
          host,
          quick.map((name) => callOf('ADD', name, CONFIG)),
        ),
      ),
      [],
    );
    const going = drive(
      host,
      slow.map((name) => slowCall('DEL', name)),
    );
    await until(async () => (await askStatus(host)).requests?.running === slow.length, 'they wait', 20_000);
    t.same(
      failures(
        await drive(
          host,
          quick.map((name) => callOf('DEL', name, CONFIG)),
        ),
      ),
      [],
    );
    t.match((await askStatus(host)).requests, { running: slow.length }, 'before any of them');
    await host.shell('touch /run/go-on');
    t.same(failures(await going), []);
    await engine.stop();
  });
});

/** Connects, and ends; its child sends what is on stdin, and prints what is said. */
const ORPHAN = `use IO::Socket::UNIX;
local $/; binmode STDIN; my $frame = <STDIN>;
my $socket = IO::Socket::UNIX->new(Peer => '${SOCKET}') or die;
my $parent = $$;
exit 0 if fork;
select undef, undef, undef, 0.005 while getppid == $parent;
print $socket $frame; $socket->flush;
print <$socket>;`;

t.test('who has connected is asked for, not who sends', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const engine = await startEngine(host);
    const { pid } = await askStatus(host);
    const { program, environment, config } = callOf('ADD', 'c1', CONFIG);
    const stdin = Buffer.from(JSON.stringify(config));
    const request = {
      ...pluginRequest({ program, environment, stdin, deadline: 5_000 }),
      ...(await namespacesOf(host, pid, ['netns', 'mntns'])),
    };
    const argv = ['perl', '-e', ORPHAN];
    const said = await host.must(argv, { input: encodeFrame(request) });
    t.match(said, /"other-namespace"/, 'its number may be that of somebody else by now');
    const patient = ORPHAN.replace('exit 0 if fork;', 'if (fork) { wait; exit 0 }').replace(
      /^select.*$/m,
      '',
    );
    const begun = await host.must(['perl', '-e', patient], { input: encodeFrame(request) });
    t.match(begun, /"exitCode":0/);
    await engine.stop();
  });
});
