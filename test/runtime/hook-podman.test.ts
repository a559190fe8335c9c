/**
 * podman gives a container to netmoor-hook by an annotation: the file for its hooks directory at work, under runc and
 * crun.
 */
import { readFileSync } from 'node:fs';
import { t, test } from 'tap';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { countResults, HOOK, HOOK_FILES, PREPARE, readHostMap, readLog } from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { Podman, PODMAN_FILES } from './podman.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { addressesOf } from './traffic.ts';
import { naming } from '../naming.ts';

t.setTimeout(300_000);

const HOOKS = '/run/hooks.d';
const IMAGE = 'localhost/busybox:1';
const EXAMPLE = new URL('../../hooks/oci/hooks.d/99-netmoor.json', import.meta.url);
const IGNORED = new RegExp(`${HOOK_FILES.source}|${PODMAN_FILES.source}|^\\S ${HOOKS}|^\\S /etc/cni`);

interface HookFile {
  hook: { path: string; args: readonly string[] };
}

/** The file as it is shipped, with the path of the program under test. */
function installHook(host: Host): void {
  const file = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as HookFile;
  host.write(`${HOOKS}/99-netmoor.json`, JSON.stringify({ ...file, hook: { ...file.hook, path: HOOK } }));
}

function writeNetworks(host: Host): void {
  const subnets = { front: '10.1.0.0/24', back: '10.2.0.0/24' };
  for (const [name, subnet] of Object.entries(subnets)) {
    const capabilities = { portMappings: true, ips: true };
    const list = {
      cniVersion: '1.0.0',
      name,
      plugins: [
        { type: 'bridge-nat', capabilities, ipam: { ranges: [[{ subnet }], [{ subnet: V6[name] }]] } },
      ],
    };
    host.write(`/etc/cni/net.d/${name}.conflist`, JSON.stringify(list));
  }
}

const V6: Readonly<Record<string, string>> = { front: 'fd00:1::/64', back: 'fd00:2::/64' };

for (const name of ['runc', 'crun']) {
  const skip = lackingFor('podman', 'conmon', name, 'runc', 'busybox', 'socat', 'nft');
  const options = ['--hooks-dir', HOOKS, '--runtime', name];

  test(`podman with ${name}`, { skip }, async (t) => {
    await withForwardingHost(
      t,
      async (host) => {
        installHook(host);
        writeNetworks(host);
        const podman = await Podman.start(host);
        const run = (container: string, ...rest: string[]): Promise<string> =>
          podman.must(
            ...[
              ...options,
              'run',
              '--detach',
              '--name',
              container,
              '--cgroup-parent',
              host.id,
              '--network',
              'none',
            ],
            ...rest,
            ...[IMAGE, 'sleep', '1000000'],
          );
        const placeOf = async (container: string) => {
          const pid = (await podman.must('inspect', '--format', '{{.State.Pid}}', container)).trim();
          return host.at(`/proc/${pid}/ns/net`, container);
        };
        const before = await stateOf(host, IGNORED);

        await t.test('a container with the annotation', async (t) => {
          const annotations = ['netmoor/networks=front', 'netmoor/ports=8080:80', 'netmoor/hostname=web'];
          const id = (await run('c1', ...annotations.flatMap((text) => ['--annotation', text]))).trim();
          const place = await placeOf('c1');
          t.equal((await addressesOf(place, 'eth0')).length, 2);
          const server = await serve(place, 'tcp', 80, { address: '0.0.0.0' });
          t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1');
          await server.stop();
          t.match(await readHostMap(host), [[/./, 'web', id]]);

          await podman.must(...options, 'stop', '--time', '0', 'c1');
          t.equal(await countResults(host), 0, 'stopped, it is detached');
          await podman.must(...options, 'start', 'c1');
          t.equal(
            (await addressesOf(await placeOf('c1'), 'eth0')).length,
            2,
            'started again, attached again',
          );
          await podman.must(...options, 'rm', '--force', '--time', '0', 'c1');
          t.equal(await countResults(host), 0);
          await podman.untilQuiet();
          t.same(await stateOf(host, IGNORED), before, 'everything is as before');
        });

        await t.test('several networks: commas are not for podman, spaces are', async (t) => {
          const refused = await podman.run(
            ...[...options, 'run', '--rm', '--cgroup-parent', host.id, '--network', 'none'],
            ...['--annotation', 'netmoor/networks=front,back', IMAGE, 'true'],
          );
          t.match(refused, { code: 125, stderr: naming('KEY=VALUE') });
          await run(
            'c3',
            '--annotation',
            'netmoor/networks=front:ip=10.1.0.5;port=8080:80 back:lan0',
            '--annotation',
            'netmoor/ports=8081:80 8082:80',
          );
          const place = await placeOf('c3');
          t.match(await addressesOf(place, 'eth0'), ['10.1.0.5/24']);
          t.match(await addressesOf(place, 'lan0'), [/^10\.2\.0\.\d+\/24$/, /^fd00:2::/]);
          const server = await serve(place, 'tcp', 80, { address: '0.0.0.0' });
          for (const port of [8080, 8081, 8082])
            t.equal((await ask(host.outside, 'tcp', world.host4, port))?.from, 'c3', `port ${port}`);
          await server.stop();
          await podman.must(...options, 'rm', '--force', '--time', '0', 'c3');
        });

        await t.test('one without it is left alone', async (t) => {
          await run('c2');
          t.same(
            (await (await placeOf('c2')).ip('link', 'show')).map((link) => link.ifname),
            ['lo'],
          );
          await podman.must(...options, 'rm', '--force', '--time', '0', 'c2');
        });

        await t.test('one that cannot be attached does not start', async (t) => {
          const failed = await podman.run(
            ...[...options, 'run', '--rm', '--cgroup-parent', host.id, '--network', 'none'],
            ...['--annotation', 'netmoor/networks=frnt', IMAGE, 'true'],
          );
          t.not(failed.code, 0);
          t.match(await readLog(host), naming('error 7:', '"frnt"', '"front"'));
          t.equal(await countResults(host), 0);
          await podman.untilQuiet();
          t.same(await stateOf(host, IGNORED), before, 'everything is as before');
        });
      },
      PREPARE,
    );
  });
}
