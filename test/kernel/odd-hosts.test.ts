/** The executables on hosts whose wall clock is far off, or where nothing that can be written may be executed. */
import { existsSync } from 'node:fs';
import t from 'tap';
import { BIN } from '../../cli/build/paths.ts';
import { define } from './attach-bed.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { plainEnvironment } from './harness-process.ts';

t.setTimeout(180_000);

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const skip = lacking() ?? (existsSync(FAKETIME) ? false : 'faketime is not installed');

/** The wall clock alone: what netmoor measures by, nobody sets. */
function at(when: string): Record<string, string> {
  return { ...plainEnvironment, LD_PRELOAD: FAKETIME, FAKETIME: when, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

const PAST = at('@1970-01-01 00:00:00');
const FUTURE = at('@2100-06-01 12:00:00');

const pool = (subnet: string) => ({ type: 'netmoor', subnet });
const NETWORKS = {
  quay: { type: 'bridge-nat', ipam: pool('10.61.0.0/24'), capabilities: { portMappings: true } },
  shore: { type: 'macvlan-v6', master: 'lan0', addressing: 'none', ipam: pool('10.62.0.0/24') },
};

async function prepare(host: Host): Promise<void> {
  for (const [name, plugin] of Object.entries(NETWORKS))
    define(host, { [name]: JSON.stringify({ cniVersion: '1.0.0', name, plugins: [plugin] }) });
  await host.shell('ip link add lan0 type veth peer lan1; ip link set lan0 up; ip link set lan1 up');
}

/** A verb of that executable in that environment, which has to succeed; its JSON. */
async function verb(host: Host, env: Record<string, string>, file: string, ...args: string[]) {
  const { code, stdout, stderr } = await host.run([file, ...args, '--json'], { env });
  if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>[] & { garbage?: { what: string }[] };
}

t.test('whatever the wall clock says, who lives lives, and who is dead is dead', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await prepare(host);
    const run = (env: Record<string, string>, ...args: string[]) =>
      verb(host, env, `${BIN}/netmoor`, ...args);
    await run(FUTURE, 'attach', '--create', 'c1', '--port', '8080:80', 'quay', 'shore');
    await run(PAST, 'attach', '--create', 'c2', '--port', '8081:80', 'quay', 'shore');
    // A server in c1 would keep its namespace.
    await serve(host.at('/run/netns/c2', 'c2'), 'tcp', 80);
    t.match(await ask(host.outside, 'tcp', world.host4, 8081), { from: 'c2' });
    for (const env of [PAST, FUTURE]) {
      const since = (await run(env, 'ls')).map(({ createdAt }) => String(createdAt).slice(0, 4));
      t.same(since.sort(), ['1970', '1970', '2100', '2100'], 'the clock was what it was');
      for (const name of ['check', 'repair', 'leases', 'networks', 'show']) t.ok(await run(env, name), name);
      t.same((await run(env, 'gc')).garbage, [], 'nobody is dead');
    }
    await host.shell('ip netns delete c1');
    t.equal((await run(PAST, 'gc')).garbage?.length, 2, 'of the future, and dead');
    await run(FUTURE, 'detach', '--netns', 'c2', '--delete');
    t.same(await run(PAST, 'ls'), []);
  });
});

t.test(
  'nothing that can be written may be executed, but for where the executables are',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      await prepare(host);
      await host.shell(`mkdir -p /opt/cni/bin && cp ${BIN}/netmoor /opt/cni/bin/
      for name in bridge-nat macvlan-v6 dhcp-ipam; do ln /opt/cni/bin/netmoor /opt/cni/bin/$name; done
      mount -o remount,noexec /run
      for directory in /tmp /var; do mount -t tmpfs -o mode=755,noexec tmpfs $directory; done`);
      const run = (...args: string[]) => verb(host, plainEnvironment, '/opt/cni/bin/netmoor', ...args);
      await run('attach', '--create', 'c1', '--port', '8080:80', 'quay', 'shore');
      await serve(host.at('/run/netns/c1', 'c1'), 'tcp', 80);
      t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
      for (const name of ['check', 'leases', 'ls', 'show']) t.ok(await run(name), name);
      t.same((await run('gc')).garbage, []);
      await run('detach', '--netns', 'c1', '--delete');
      t.same(await run('ls'), []);
      for (const type of ['bridge-nat', 'macvlan-v6'] as const) {
        await host.container(type);
        const name = type === 'bridge-nat' ? 'quay' : 'shore';
        const config = { cniVersion: '1.0.0', name, ...NETWORKS[name] };
        for (const command of ['ADD', 'DEL'] as const)
          t.match(
            await host.cni([`/opt/cni/bin/${type}`], command, {
              ...{ config, containerId: type, ifname: 'eth0', netns: `/run/netns/${type}` },
            }),
            { code: 0 },
            `${type} ${command}`,
          );
      }
      t.match(await host.shell('ls /opt/cni/bin/.netmoor-native'), /^koffi-/);
    });
  },
);
