/** LXC 5 containers with the example's hook: lxc.hook.start-host attaches, lxc.hook.stop detaches. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { EXAMPLE, TOOLS, layOut, start, state, stop } from './lxc-bed.ts';
import { fetchFrom } from './systemd-machine.ts';
import { FORWARDING, define, must } from '../kernel/attach-bed.ts';
import { serve, until, withHost, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const LAN = readFileSync(`${EXAMPLE}/lan.conflist`, 'utf8');
const HOOK = `/usr/local/bin/netmoor-lxc`;

/** The example's lines for one container, its networks in the place of those of container 6. */
function networkConfig(networks: string): string {
  const config = readFileSync(`${EXAMPLE}/netmoor-lxc.conf`, 'utf8');
  return config.replace(`${HOOK} lan:ip=10.1.1.6,port=22210:22`, `${HOOK} ${networks}`.trimEnd());
}

/** The program looks at its network first thing: it must be there before its first instruction. */
const INIT =
  'ip -o -4 address show > /root/seen; cat /etc/resolv.conf > /root/resolv; exec httpd -f -p 22 -h /root';

async function makeContainer(host: Host, name: string, networks: string, init = INIT): Promise<void> {
  await layOut(host, name, networkConfig(networks), init);
}

const skip = lackingFor('lxc-start', 'busybox', 'socat');

t.test('six servers behind one address: two of them', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      await host.shell(TOOLS);
      define(host, { lan: LAN });
      await serve(host.outside, 'tcp', 80);
      const before = await state(host);
      await makeContainer(host, 'c5', 'lan:ip=10.1.1.5,port=22205:22');
      await makeContainer(host, 'c6', 'lan:ip=10.1.1.6,port=22210:22');
      t.equal(await start(host, 'c5'), 0);
      t.equal(await start(host, 'c6'), 0);
      t.equal(
        await until(async () => fetchFrom(host.outside, world.host4, 22210), 'c6 answers', 10_000),
        'this is c6\n',
      );
      t.equal(
        await until(async () => fetchFrom(host.outside, world.host4, 22205), 'c5 answers', 10_000),
        'this is c5\n',
      );
      t.match(
        await host.must(['cat', '/run/lxc/c6/rootfs/root/seen']),
        /lo +inet 127\.0\.0\.1.*\n.*eth0 +inet 10\.1\.1\.6\/24/,
        'up before its first instruction',
      );
      t.equal(
        await host.must(['cat', '/run/lxc/c6/rootfs/root/resolv']),
        'search lan\nnameserver 10.1.1.1\n',
        'the name servers of the network, in the place of what was there',
      );
      t.equal(await fetchFrom(host, '10.1.1.6', 22), 'this is c6\n', 'reached from the host');
      await must(host, 'exec', 'c5', '--', 'ping', '-c', '1', '-W', '5', '10.1.1.6');
      await must(
        host,
        'exec',
        'c5',
        '--',
        'socat',
        '-u',
        `TCP4:${world.internet4}:80,connect-timeout=5`,
        '-',
      );
      const listed = JSON.parse(await must(host, 'ls', '--json')) as object[];
      t.match(listed, [
        { containerId: 'c5', name: 'c5' },
        { containerId: 'c6', network: 'lan', ports: [{ hostPort: 22210 }] },
      ]);

      await stop(host, 'c6');
      t.equal(await fetchFrom(host.outside, world.host4, 22210), undefined);
      t.equal(
        await fetchFrom(host.outside, world.host4, 22205),
        'this is c5\n',
        'the other one is not disturbed',
      );
      t.equal(await start(host, 'c6'), 0);
      t.equal(
        await until(async () => fetchFrom(host.outside, world.host4, 22210), 'c6 answers again', 10_000),
        'this is c6\n',
      );
      await stop(host, 'c5');
      await stop(host, 'c6');
      t.strictSame(JSON.parse(await must(host, 'ls', '--json')), []);
      t.strictSame(await state(host), before, 'nothing is left');
    },
    FORWARDING,
  );
});

t.test('without a network named there is the default one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(TOOLS);
    await makeContainer(host, 'c1', '');
    t.equal(await start(host, 'c1'), 0);
    t.match(JSON.parse(await must(host, 'ls', '--json')), [{ network: 'netmoor', containerId: 'c1' }]);
    await stop(host, 'c1');
    t.strictSame(JSON.parse(await must(host, 'ls', '--json')), []);
  });
});

t.test('a container without its network does not start', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      await host.shell(TOOLS);
      define(host, { lan: LAN });
      const before = await state(host);
      for (const networks of ['nowhere', 'lan:ip=192.0.2.1', 'lan,port=80:80,port=80:81']) {
        await makeContainer(host, 'c1', networks, 'touch /root/started; exec sleep 1000');
        t.not(await start(host, 'c1'), 0, networks);
        t.equal(
          (await host.run(['test', '-e', '/run/lxc/c1/rootfs/root/started'])).code,
          1,
          'it has not run',
        );
        t.strictSame(await state(host), before, 'nothing is left');
      }
    },
    FORWARDING,
  );
});

t.test('why it does not start is where LXC shows it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(TOOLS);
    define(host, { lan: LAN });
    await makeContainer(host, 'c1', 'lna');
    const why = /netmoor-lxc: c1: .*"lna".*"lan"/;
    t.not(await start(host, 'c1'), 0);
    t.match(await host.must(['cat', '/run/lxc/c1/log']), why, 'in the log');
    const foreground = 'lxc-start -P /run/lxc -n c1 --foreground';
    const shown = await host.run(['script', '--quiet', '--command', foreground, '/dev/null']);
    t.match(shown.stdout, why, 'on the terminal');
    await makeContainer(host, 'c2', 'lan --dns 192.0.2.53 --conf-dir /etc/cni/net.d', 'exec sleep 1000');
    t.equal(await start(host, 'c2'), 0);
    t.equal(await host.must(['cat', '/run/lxc/c2/log']), '', 'nothing is said when all is well');
    t.equal(await host.must(['cat', '/run/lxc/c2/rootfs/etc/resolv.conf']), 'nameserver 192.0.2.53\n');
    await stop(host, 'c2');
  });
});

t.test('killed with its monitor, and started again', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(TOOLS);
    define(host, { lan: LAN });
    await makeContainer(host, 'c6', 'lan:ip=10.1.1.6,port=22210:22');
    t.equal(await start(host, 'c6'), 0);
    await host.shell(`kill -9 $(pgrep -f '[l]xc monitor') $(lxc-info -P /run/lxc -n c6 -pH)`);
    await until(
      async () => (await host.must(['lxc-info', '-P', '/run/lxc', '-n', 'c6', '-sH'])).trim() === 'STOPPED',
      'c6 is gone',
    );
    // Control groups of a fixed name are in the way of the second start; LXC chooses others where it may.
    await host.must(['sed', '-i', '/^lxc.cgroup/s/$/-again/', '/run/lxc/c6/config']);
    t.equal(
      await start(host, 'c6'),
      0,
      'no stop hook has run: the same address and port are free all the same',
    );
    t.equal(
      await until(async () => fetchFrom(host.outside, world.host4, 22210), 'c6 answers', 10_000),
      'this is c6\n',
    );
    await stop(host, 'c6');
    t.strictSame(JSON.parse(await must(host, 'ls', '--json')), []);
  });
});

t.test('the hook outside of LXC says how it is to be used', { skip }, async (t) => {
  await withHost(t, async (host) => {
    t.match(await host.run([`${EXAMPLE}/netmoor-lxc`]), {
      code: 1,
      stdout: '',
      stderr: naming('lxc.hook.start-host'),
    });
  });
});
