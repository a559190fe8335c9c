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
  reference,
  scripted,
  stateOf,
  withoutReference,
} from './attach-bed.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { Host } from './harness.ts';
import { asked, refused } from './netmoor-command.ts';
import type { Collection } from '../../cli/gc/garbage.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

/** What netmoor gc cleared away. */
async function collect(host: Host): Promise<Collection['garbage']> {
  return (await asked(host, 'gc')).view.garbage;
}

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
      /** Arguments, exit status, CNI code, and what the error names. */
      const cases: [string[], number, number, ...string[]][] = [
        [[], 2, 7, '--netns', '--pid', '--create'],
        [[...at, '--pid', '1'], 2, 7, '--netns', '--pid'],
        [[...at, '--netns', 'c1'], 2, 7, '--netns'],
        [['--pid', '0'], 2, 7, '--pid', '"0"'],
        [['--pid', '-1'], 2, 7, '-1'],
        [['--pid', '12; reboot'], 2, 7, '--pid', '"12; reboot"'],
        [['--pid', '4294967295'], 1, 4, '4294967295'],
        [['--netns', '../../proc/1/ns/net'], 2, 7, '--netns', '"../../proc/1/ns/net"'],
        [['--netns', '/proc/1/ns/net'], 1, 4, '"/proc/1/ns/net"'],
        [['--netns', '/proc/self/ns/net'], 1, 4, '"/proc/self/ns/net"'],
        [['--netns', '/proc/1/ns/mnt'], 1, 4, '"/proc/1/ns/mnt"', 'EINVAL'],
        [['--netns', '/run/netns-file'], 1, 4, '"/run/netns-file"'],
        [['--netns', 'none'], 1, 4, '"/run/netns/none"', 'ENOENT'],
        [['--create', '../c9'], 2, 7, '--create', '"../c9"'],
        [['--create', 'x'.repeat(154)], 2, 7, '--create'],
        [[...at, '--id=-c1'], 2, 7, '--id', '"-c1"'],
        [[...at, '--id', 'a/b'], 2, 7, '--id', '"a/b"'],
        [[...at, '--name', 'a b\nc'], 2, 7, '--name', '"a b\\nc"'],
        [[...at, '--ip', '10.82.0.300', 'mixed'], 1, 7, '--ip', '"10.82.0.300"'],
        [[...at, '--ip', '192.0.2.1', 'mixed'], 1, 7, '192.0.2.1', '10.82.0.1-10.82.0.254'],
        [[...at, '--mac', '01:00:5e:00:00:01', 'mixed'], 1, 7, '--mac', '01:00:5e:00:00:01'],
        [[...at, '--port', '80:80', 'back'], 1, 7, 'back', 'portMappings', '/etc/cni/net.d/back.conflist'],
        [[...at, '--port', '70000:80', 'mixed'], 1, 7, '--port', '70000'],
        [[...at, '--port', '80:80', '--port', '80:81', 'mixed'], 1, 7, '--port', 'tcp 80'],
        [[...at, '--ifname', 'a/b', 'mixed'], 1, 7, '--ifname', '"a/b"'],
        [[...at, '--ifname', 'lo', 'mixed'], 1, 100, 'lo'],
        [[...at, 'mixed:ifname=mine'], 1, 100, 'mine'],
        [[...at, 'mixed:eth0', 'back:eth0'], 1, 7, '"eth0"'],
        [[...at, 'mixed', '--cni-path', '/nowhere'], 1, 107, '"tuning"', '"/nowhere"'],
        [[...at, 'mixed', '--cni-path', 'relative'], 1, 7, '"relative"'],
        [[...at, '--dns', 'dns.example', 'mixed'], 2, 7, '--dns', '"dns.example"'],
        [[...at, 'mixd'], 1, 7, '"mixd"', '"mixed"'],
        [[...at, 'bad'], 1, 7, '"bad"', '/etc/cni/net.d/bad.conflist'],
        [[...at, '../mixed'], 1, 7, '"../mixed"'],
        [[...at, 'odd'], 1, 2, 'brige', '"bridge"'],
        [[...at, '--prot', '80'], 2, 7, '--prot', '--port'],
      ];
      for (const [args, exit, code, ...things] of cases)
        t.match(
          await refused(host, 'attach', ...args),
          { exit, code, text: naming(...things) },
          args.join(' '),
        );
      await attach(host, ...at, '--mac', '02:00:00:00:00:01', 'back');
      await detach(host, ...at);
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
        const outcome = await refused(host, 'attach', ...PATHS, '--netns', 'c1', 'back', 'mixed', type);
        const own = { code: 11, text: `${type} ADD: the moon is full\nwait` };
        t.match(outcome, { exit: 1, ...(type === 'rubbish' ? { code: 6, text: naming('rubbish') } : own) });
        t.strictSame(await stateOf(host), before, type);
      }
      const created = await refused(host, 'attach', ...PATHS, '--create', 'c2', 'back', 'failing');
      t.match(created, { exit: 1, code: 11, text: 'failing ADD: the moon is full\nwait' });
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
        t.match(await refused(host, 'attach', ...PATHS, '--netns', 'c1', 'back:lan7'), { exit: 1, code: 11 });
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
      const claimed = await refused(host, 'attach', '--netns', 'c2', '--id', 'c1', 'mixed');
      t.match(claimed, { exit: 1, code: 7, text: naming('c1', '"/run/netns/c1"') });
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
      const garbage = await collect(host);
      t.match(
        garbage.filter(({ what }) => what === 'reference/gone/eth0'),
        [{ kind: 'attachment', reason: naming(veth) }],
      );
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
      t.same(await collect(host), [], 'what is being attached is let alone');
      await running.stop();
      await host.must(['rm', '/run/waiting']);
      t.match(await collect(host), [{ kind: 'attachment', what: 'slow/alive/eth1' }]);
      t.strictSame(await state(), between);
      t.same(await collect(host), [], 'and what lives is let alone');
    },
    FORWARDING,
  );
});

t.test('a lease store elsewhere is known to gc', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('mkdir /run/leases');
    await host.must(['sh', '-c', `cd /run && exec ${NETMOOR} attach --create web --data-dir leases`]);
    t.same(await collect(host), []);
    t.match(JSON.parse(await must(host, 'ls', '--json')), [{ containerId: 'web', network: 'netmoor' }]);
    t.match(await asked(host, 'check', 'web'), {
      yes: true,
      view: { attachments: [{ containerId: 'web', ifname: 'eth0', network: 'netmoor', differences: [] }] },
    });
    await detach(host, '--netns', 'web', '--delete', '--data-dir', '/run/leases');
    t.match(await refused(host, 'attach', '--create', 'web', '--data-dir', '/etc/passwd'), {
      exit: 1,
      code: 5,
      text: naming('/etc/passwd'),
    });
  });
});
