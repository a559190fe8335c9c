/**
 * netmoor attach when something is wrong: refusals that touch nothing, failures that are undone, death in the middle.
 */
import t from 'tap';
import {
  FORWARDING,
  NETMOOR,
  PATHS,
  attach,
  back,
  define,
  detach,
  endingIn,
  mixed,
  must,
  netmoor,
  reference,
  scripted,
  stateOf,
  withoutReference,
} from './attach-bed.ts';
import { lacking, until, withHost, without } from './harness.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

t.test('what is wrong is refused with nothing touched', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, {
        mixed,
        back,
        bad: '{"name": "bad", "plugins": [',
        odd: '{"name":"odd","plugins":[{"type":"bridge-nat","brige":"x"}]}',
      });
      host.write('/run/netns-file', 'not a namespace');
      const c1 = await host.container('c1');
      await c1.must(['ip', 'link', 'add', 'mine', 'type', 'bridge']);
      const before = await stateOf(host);
      const at = ['--netns', 'c1'];
      const cases: [string[], number, RegExp][] = [
        [[], 2, /which container is meant is not said/],
        [[...at, '--pid', '1'], 2, /exclude each other/],
        [[...at, '--netns', 'c1'], 2, /more than once/],
        [['--pid', '0'], 2, /no process id/],
        [['--pid', '-1'], 2, /./],
        [['--pid', '12; reboot'], 2, /no process id/],
        [['--pid', '4294967295'], 1, /no process/],
        [['--netns', '../../proc/1/ns/net'], 2, /neither an absolute path nor a name/],
        [['--netns', '/proc/1/ns/net'], 1, /namespace of the host/],
        [['--netns', '/proc/self/ns/net'], 1, /namespace of the host/],
        [['--netns', '/proc/1/ns/mnt'], 1, /namespace of another kind/],
        [['--netns', '/run/netns-file'], 1, /not a namespace/],
        [['--netns', 'none'], 1, /cannot be opened/],
        [['--create', '../c9'], 2, /no name for a namespace/],
        [['--create', 'x'.repeat(154)], 2, /no name for a namespace/],
        [[...at, '--id=-c1'], 2, /--id/],
        [[...at, '--id', 'a/b'], 2, /--id/],
        [[...at, '--name', 'a b\nc'], 2, /no name/],
        [[...at, '--ip', '10.82.0.300', 'mixed'], 1, /10\.82\.0\.300/],
        [[...at, '--ip', '192.0.2.1', 'mixed'], 1, /none of the ranges/],
        [[...at, '--mac', '01:00:5e:00:00:01', 'mixed'], 1, /multicast/],
        [[...at, '--mac', '02:00:00:00:00:01', 'back'], 0, /./],
        [[...at, '--port', '80:80', 'back'], 1, /no plugin of it declares the capability portMappings/],
        [[...at, '--port', '70000:80', 'mixed'], 1, /70000/],
        [[...at, '--port', '80:80', '--port', '80:81', 'mixed'], 1, /same port/],
        [[...at, '--ifname', 'a/b', 'mixed'], 1, /a\/b/],
        [[...at, '--ifname', 'lo', 'mixed'], 1, /already has an interface lo/],
        [[...at, 'mixed:ifname=mine'], 1, /already has an interface mine/],
        [[...at, 'mixed:eth0', 'back:eth0'], 1, /wanted twice/],
        [[...at, 'mixed', '--cni-path', '/nowhere'], 1, /"tuning" was not found/],
        [[...at, 'mixed', '--cni-path', 'relative'], 1, /no absolute path|not an absolute path/],
        [[...at, '--dns', 'dns.example', 'mixed'], 2, /--dns/],
        [[...at, 'mixd'], 1, /did you mean "mixed"/],
        [[...at, 'bad'], 1, /no network "bad".*\n.*not usable: .*bad\.conflist/],
        [[...at, '../mixed'], 1, /no valid name/],
        [[...at, 'odd'], 1, /did you mean "bridge"/],
        [[...at, '--prot', '80'], 2, /did you mean --port/],
      ];
      for (const [args, code, stderr] of cases) {
        const outcome = await netmoor(host, 'attach', ...args);
        t.match(outcome, { code, stdout: code === 0 ? /./ : '' }, args.join(' '));
        if (code === 0) await detach(host, ...at);
        else t.match(outcome.stderr, stderr);
      }
      t.strictSame(await stateOf(host), before, 'everything is as before');
    },
    FORWARDING,
  );
});

t.test('a failure anywhere undoes everything', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const error = `printf '{"code":11,"msg":"the moon is full","details":"wait"}'`;
      scripted(host, 'failing', `cat > /dev/null\n[ $CNI_COMMAND = ADD ] || exit 0\n${error}\nexit 1`);
      scripted(host, 'rubbish', 'cat > /dev/null\n[ $CNI_COMMAND = ADD ] && echo "all well"; exit 0');
      scripted(host, 'stubborn', `cat > /dev/null\n${error}\nexit 1`);
      define(host, { back, mixed });
      for (const type of ['failing', 'rubbish', 'stubborn']) define(host, { [type]: endingIn(type, type) });
      await host.container('c1');
      const before = await stateOf(host);
      for (const type of ['failing', 'rubbish', 'stubborn']) {
        const outcome = await netmoor(host, 'attach', ...PATHS, '--netns', 'c1', 'back', 'mixed', type);
        t.match(outcome, {
          code: 1,
          stdout: '',
          stderr: type === 'rubbish' ? /result of rubbish is not JSON/ : /the moon is full/,
        });
        t.strictSame(await stateOf(host), before, type);
      }
      const created = await netmoor(host, 'attach', ...PATHS, '--create', 'c2', 'back', 'failing');
      t.match(created, { code: 1, stderr: /failing ADD: the moon is full\n {2}wait/ });
      t.strictSame(await stateOf(host), before, 'the namespace made for it is gone, too');
    },
    FORWARDING,
  );
});

t.test('killed in the middle', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const wait = ': > /run/waiting; exec sleep 1000';
      scripted(
        host,
        'slow',
        `config=$(cat)\n[ $CNI_COMMAND = ADD ] || exit 0\n[ -e /run/quick ] || { ${wait}; }\necho '{"cniVersion":"1.0.0"}'`,
      );
      define(host, { back, slow: endingIn('slow', 'slow') });
      const c1 = await host.container('c1');
      const before = await stateOf(host);
      const die = async (): Promise<void> => {
        const running = host.start([NETMOOR, 'attach', ...PATHS, '--netns', 'c1', 'back', 'slow']);
        await until(
          async () => (await host.run(['test', '-e', '/run/waiting'])).code === 0,
          'the slow plugin runs',
          10_000,
        );
        t.match(await netmoor(host, 'attach', ...PATHS, '--netns', 'c1', 'back:lan7'), {
          code: 1,
          stderr: /this very moment/,
        });
        await running.stop();
        await host.must(['rm', '/run/waiting']);
        t.same(
          (await c1.ip('link', 'show')).map(({ ifname }) => ifname),
          ['lo', 'eth0', 'eth1'],
          'half of it is there',
        );
      };
      await die();
      const gone = await detach(host, ...PATHS.slice(0, 2), '--netns', 'c1');
      t.match(gone, [{ network: 'back' }, { network: 'slow' }], 'what was begun is known');
      t.strictSame(await stateOf(host), before, 'detach clears it away');

      await die();
      await detach(host, '--netns', 'c1', 'back');
      host.write('/run/quick', '');
      await attach(host, ...PATHS, '--netns', 'c1', 'back', 'slow');
      const names = (await c1.ip('link', 'show')).map(({ ifname }) => ifname);
      t.same(names, ['lo', 'eth0', 'eth1'], 'and so does the next attach');
      await detach(host, ...PATHS, '--netns', 'c1');
      await host.must(['rm', '/run/quick']);
      t.strictSame(await stateOf(host), before);
    },
    FORWARDING,
  );
});

t.test('a container that is gone, and another one under its name', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, { mixed });
      await host.must(['mkdir', '-p', '/run/netns']);
      const before = await stateOf(host);
      const [first] = await attach(host, '--create', 'c1', '--ip', '10.82.0.7', '--port', '2222:22', 'mixed');
      await host.removeContainer('c1');
      const [second] = await attach(
        host,
        '--create',
        'c1',
        '--ip',
        '10.82.0.7',
        '--port',
        '2222:22',
        'mixed',
      );
      t.equal(
        second?.result.ips?.[0]?.address,
        first?.result.ips?.[0]?.address,
        'address and port are free again',
      );
      await host.container('c2');
      const claimed = await netmoor(host, 'attach', '--netns', 'c2', '--id', 'c1', 'mixed');
      t.match(claimed, { code: 1, stderr: /c1 is that of another namespace, "\/run\/netns\/c1"/ });
      await host.removeContainer('c2');
      await host.removeContainer('c1');
      t.match(
        await detach(host, '--netns', 'c1'),
        [{ network: 'mixed', containerId: 'c1' }],
        'by its name alone',
      );
      t.strictSame(await stateOf(host), before);

      await attach(host, '--create', 'c1', 'mixed');
      const file = '/var/lib/cni/results/mixed-c1-eth0';
      await host.shell(`ip netns delete c1; sed -i 's/"bootId":"[^"]*"/"bootId":"another"/' ${file}`);
      await detach(host, '--id', 'c1');
      t.strictSame(
        without(await stateOf(host), 'processes'),
        without(before, 'processes'),
        'after a restart of the host',
      );
    },
    FORWARDING,
  );
});

t.test('netmoor gc clears away what nobody detached', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      scripted(
        host,
        'slow',
        'cat > /dev/null\n[ $CNI_COMMAND = ADD ] || exit 0\n: > /run/waiting\nexec sleep 1000',
      );
      define(host, { back, reference, slow: endingIn('slow', 'slow') });
      await host.container('alive');
      await attach(host, '--netns', 'alive', 'back');
      const state = async () => without(await stateOf(host), 'processes');
      const before = await state();
      const held = () => host.must(['find', '/var/lib/cni/networks/reference', '-name', '10.*']);

      const [gone] = await attach(host, ...PATHS, '--create', 'gone', 'reference', 'netmoor');
      const ends = (gone?.result.interfaces ?? []).filter(({ sandbox }) => sandbox === undefined);
      await host.removeContainer('gone');
      const veth = ends.at(-1)?.name ?? '';
      await until(async () => (await host.run(['ip', 'link', 'show', veth])).code !== 0, `${veth} is gone`);
      t.match(await must(host, 'gc'), /reference\/gone\/eth0: its interface \S+ is gone/);
      // Its bridge stays, and what it masqueraded: the reference leaves them behind when the namespace is gone.
      t.strictSame(withoutReference(await state()), withoutReference(before), 'of plugins of others, too');
      t.equal(await held(), '', 'host-local holds no address');
      const between = await state();

      const running = host.start([NETMOOR, 'attach', ...PATHS, '--netns', 'alive', 'slow']);
      await until(
        async () => (await host.run(['test', '-e', '/run/waiting'])).code === 0,
        'the slow plugin runs',
        10_000,
      );
      t.match(await must(host, 'gc'), /nothing to collect/, 'what is being attached is let alone');
      await running.stop();
      await host.must(['rm', '/run/waiting']);
      t.match(await must(host, 'gc'), /slow\/alive\/eth1: what was attaching it died/);
      t.strictSame(await state(), between);
      t.match(await must(host, 'gc'), /nothing to collect/, 'and what lives is let alone');
    },
    FORWARDING,
  );
});

t.test('a lease store elsewhere is known to gc', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('mkdir /run/leases');
    await host.must(['sh', '-c', `cd /run && exec ${NETMOOR} attach --create web --data-dir leases`]);
    t.match(await must(host, 'gc'), /nothing to collect/);
    t.match(JSON.parse(await must(host, 'ls', '--json')), [{ containerId: 'web', network: 'netmoor' }]);
    t.match(await must(host, 'check', 'web'), /^web eth0 on netmoor: ok$/m);
    await detach(host, '--netns', 'web', '--delete', '--data-dir', '/run/leases');
    t.match(await netmoor(host, 'attach', '--create', 'web', '--data-dir', '/etc/passwd'), { code: 1 });
  });
});
