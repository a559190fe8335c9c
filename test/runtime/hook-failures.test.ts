/**
 * netmoor-hook when something goes wrong: the container does not start, one line says why, and nothing is left behind.
 */
import { t, test } from 'tap';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { ask, serve, until, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import {
  countResults,
  HOOK_FILES,
  makeHookBundle,
  readHostMap,
  readLog,
  Runtime,
  untilFile,
  withRuntimeHost,
} from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { stateOf } from './states.ts';
import { addressesOf } from './traffic.ts';
import { naming } from '../naming.ts';

t.setTimeout(300_000);

const NETMOOR = `${OWN_PLUGINS}/netmoor`;
const PLUGINS = '/run/plugins';
const FLAGS = ['--cni-path', `${PLUGINS}:${REFERENCE_PLUGINS}`];
const IGNORED = new RegExp(`${HOOK_FILES.source}|^\\S ${PLUGINS}|^\\S /etc/cni/net.d`);

/** A plugin of someone else's, in shell: `add` is what it does at ADD. */
function writePlugin(host: Host, type: string, add: string): void {
  const script = `#!/bin/sh
cat > /dev/null
[ "$CNI_COMMAND" = ADD ] || exit 0
${add}
`;
  host.write(`${PLUGINS}/${type}`, script, 0o755);
}

function writeNetwork(host: Host, name: string, ...types: string[]): void {
  const plugins = types.map((type) => ({ type, capabilities: { portMappings: type === 'bridge-nat' } }));
  host.write(`/etc/cni/net.d/${name}.conflist`, JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
}

/** Processes of the host by their command line. */
async function pids(host: Host, pattern: string): Promise<string[]> {
  const { stdout } = await host.run(['pgrep', '-f', pattern]);
  return stdout.split('\n').filter((line) => line !== '');
}

async function killAll(host: Host, pattern: string): Promise<void> {
  const found = await pids(host, pattern);
  if (found.length === 0) throw new Error(`no process has ${pattern}`);
  await host.must(['kill', '-KILL', ...found]);
}

for (const name of ['runc', 'crun']) {
  const skip = lackingFor(name, 'runc', 'busybox', 'socat', 'nft');

  test(`${name}: what is refused before anything is touched`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      writeNetwork(host, 'front', 'bridge-nat');
      const before = await stateOf(host, IGNORED);
      /** What is wrong, the CNI code, and what the line names. */
      const cases: [string, Parameters<typeof makeHookBundle>[2], number, ...string[]][] = [
        ['unknown', { annotations: { 'netmoor/networks': 'front,frnt' } }, 7, '"frnt"', '"front"'],
        [
          'mistyped',
          { annotations: { 'netmoor/network': 'front' } },
          7,
          '"netmoor/network"',
          'netmoor/networks',
        ],
        ['hostile', { annotations: { 'netmoor/networks': '../../etc/passwd' } }, 7, '"../../etc/passwd"'],
        ['flag', { flags: ['--netwrk', 'front'] }, 7, '"--netwrk"', '--network'],
        ['plugin', { flags: ['--networks', 'none'] }, 7, '"none"'],
        [
          'hostnet',
          {
            change: (spec) => {
              spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
              // Mounting sysfs takes a network namespace of one's own.
              spec.mounts = spec.mounts.filter((mount) => mount.type !== 'sysfs');
            },
          },
          4,
        ],
      ];
      let logged = 0;
      for (const [id, options, code, ...things] of cases) {
        const reason = naming(`error ${code}:`, ...things);
        const { code: status, stdout, stderr } = await runtime.run(await makeHookBundle(host, id, options));
        t.not(status, 0, `${id} does not start`);
        if (name === 'runc')
          t.match((stdout + stderr).replaceAll('\\', ''), reason, 'the runtime passes the line on');
        const log = await readLog(host);
        t.match(log.slice(logged), reason, 'the log has it');
        logged = log.length;
        t.notOk(await runtime.knows(id));
      }
      t.same(await stateOf(host, IGNORED), before, 'nothing was touched');
    });
  });

  test(`${name}: a failure undoes what was attached before`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      writeNetwork(host, 'front', 'bridge-nat');
      writeNetwork(host, 'back', 'bridge-nat', 'broken');
      writePlugin(
        host,
        'broken',
        `echo '{"code": 142, "msg": "out of order", "details": "ask its maker"}'; exit 1`,
      );
      const before = await stateOf(host, IGNORED);
      const bundle = await makeHookBundle(host, 'c1', {
        flags: FLAGS,
        annotations: {
          'netmoor/networks': 'front,back',
          'netmoor/ports': '8080:80',
          'netmoor/result-file': 'net.json',
        },
      });
      const { code } = await runtime.run(bundle);
      t.not(code, 0);
      t.match(await readLog(host), naming('c1: error 142:', 'out of order', 'ask its maker'));
      t.equal(await countResults(host), 0);
      t.equal((await host.run(['test', '-e', `${bundle.directory}/net.json`])).code, 1, 'no result file');
      t.same(await stateOf(host, IGNORED), before, 'nothing is left');
    });
  });

  test(`${name}: a port that another container has published`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const annotations = { 'netmoor/ports': '8080:80' };
      const first = await runtime.start(await makeHookBundle(host, 'c1', { annotations }));
      const server = await serve(first, 'tcp', 80, { address: '0.0.0.0' });
      const before = await stateOf(host, IGNORED);
      const { code } = await runtime.run(await makeHookBundle(host, 'c2', { annotations }));
      t.not(code, 0);
      t.match(await readLog(host), naming('c2: error 102:', '8080', 'c1'), 'it says whose the port is');
      t.same(await stateOf(host, IGNORED), before);
      t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1', 'who has it keeps it');
      await server.stop();
      await runtime.remove('c1');
    });
  });

  test(`${name}: another hook fails after ours`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, IGNORED);
      const further = { createRuntime: [{ path: '/bin/false' }] };
      const { code } = await runtime.run(await makeHookBundle(host, 'c1', { further }));
      t.not(code, 0);
      if (name === 'runc') t.equal(await countResults(host), 0, 'runc runs poststop');
      else t.equal(await countResults(host), 1, 'crun runs no poststop');
      const place = await runtime.start(
        await makeHookBundle(host, 'c2', { command: ['/bin/sleep', '1000000'] }),
      );
      t.equal((await addressesOf(place, 'eth0')).length, 2);
      await runtime.remove('c2');
      const again = await makeHookBundle(host, 'c1b', { command: ['/bin/true'] });
      t.equal((await runtime.run({ ...again, id: 'c1' })).code, 0, 'the same id again');
      t.equal(await countResults(host), 0);
      t.same(await stateOf(host, IGNORED), before, 'nothing is left');
    });
  });

  test(`${name} killed during the hook: the hook notices and undoes everything`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      writeNetwork(host, 'slow', 'bridge-nat', 'slow');
      const before = await stateOf(host, IGNORED);
      const wait = `: > ${PLUGINS}/started; until [ -e ${PLUGINS}/go ]; do sleep 0.05; done`;
      writePlugin(host, 'slow', `${wait}; echo '{"cniVersion": "1.0.0"}'`);
      const bundle = await makeHookBundle(host, 'c1', { flags: [...FLAGS, '--networks', 'slow'] });
      const running = host.start([name, 'run', '--bundle', bundle.directory, 'c1']);
      await untilFile(host, `${PLUGINS}/started`);
      await killAll(host, `^${name} run --bundle`);
      // The container's first process may wait for the dead runtime for ever; a service manager would kill it, too.
      for (const pid of await pids(host, 'init|libcrun')) await host.run(['kill', '-KILL', pid]);
      host.write(`${PLUGINS}/go`, '');
      await until(async () => (await pids(host, 'netmoor-hook')).length === 0, 'the hook has ended');
      await running.stop();
      t.match(await readLog(host), naming('c1: error 4:'));
      t.equal(await countResults(host), 0);
      await host.run(['rm', '-rf', `/run/${name}/c1`]);
      t.same(await stateOf(host, IGNORED), before, 'nothing is left');
    });
  });

  test(`${name} and the hook killed: gc, and the next container of that id, reclaim everything`, {
    skip,
  }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      writeNetwork(host, 'slow', 'bridge-nat', 'slow');
      const before = await stateOf(host, IGNORED);
      for (const how of ['gc', 'again']) {
        writePlugin(host, 'slow', `: > ${PLUGINS}/started; exec sleep 1000000`);
        const bundle = await makeHookBundle(host, 'c1', {
          flags: [...FLAGS, '--networks', 'slow'],
          annotations: { 'netmoor/ports': '8080:80' },
          command: ['/bin/true'],
        });
        const running = host.start([name, 'run', '--bundle', bundle.directory, 'c1']);
        await untilFile(host, `${PLUGINS}/started`);
        await killAll(host, `^${name} run --bundle`);
        await killAll(host, 'netmoor-hook');
        await killAll(host, 'sleep 1000000');
        for (const pid of await pids(host, 'init|libcrun')) await host.run(['kill', '-KILL', pid]);
        await running.stop();
        await host.run(['rm', '-rf', `/run/${name}/c1`, `${PLUGINS}/started`, bundle.directory]);
        t.equal(await countResults(host), 1, 'what was begun is on file');
        writePlugin(host, 'slow', `echo '{"cniVersion": "1.0.0"}'`);
        if (how === 'gc') await host.must([NETMOOR, 'gc']);
        else
          t.equal(
            (await runtime.run(await makeHookBundle(host, 'c1', { flags: FLAGS, command: ['/bin/true'] })))
              .code,
            0,
          );
        await host.run(['rm', '-rf', '/run/bundles/c1']);
        t.same(await stateOf(host, IGNORED), before, `nothing is left: ${how}`);
        t.equal(await countResults(host), 0);
      }
    });
  });

  test(`${name}: a container that was killed, its state deleted, is reclaimed under the same id`, {
    skip,
  }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, IGNORED);
      const bundle = await makeHookBundle(host, 'c1', { annotations: { 'netmoor/ports': '8080:80' } });
      const first = await runtime.start(bundle);
      const [address] = await addressesOf(first, 'eth0');
      await killAll(host, '^/bin/sleep 1000000');
      await host.must(['rm', '-rf', `/run/${name}/c1`]);
      const second = await runtime.start(bundle);
      t.equal((await addressesOf(second, 'eth0')).length, 2);
      t.equal(await countResults(host), 1);
      t.equal((await readHostMap(host)).length, 2, 'the map has the new one alone');
      t.ok(address);
      await runtime.remove('c1');
      t.same(await stateOf(host, IGNORED), before, 'nothing is left');
    });
  });

  test(`${name}: poststop when the bundle is gone`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      const before = await stateOf(host, IGNORED);
      const { directory } = await makeHookBundle(host, 'c1', {
        annotations: { 'netmoor/result-file': 'net.json' },
      });
      await runtime.start({ id: 'c1', directory, rootfs: `${directory}/rootfs` });
      t.equal(await countResults(host), 1);
      // crun starts no hook whose directory is gone: there, all but the directory itself goes.
      await host.shell(name === 'runc' ? `rm -rf ${directory}` : `rm -rf ${directory}/*`);
      await host.shell('rm -f /var/lib/cni/results/* /run/netmoor/hosts');
      await runtime.remove('c1');
      await host.shell(`rm -rf ${directory}`);
      t.same(await readHostMap(host), []);
      t.same(await stateOf(host, IGNORED), before, 'the lease store was enough');
    });
  });
}
