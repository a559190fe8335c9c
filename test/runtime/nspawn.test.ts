/**
 * systemd-nspawn in networks of netmoor: a command in a namespace attached by hand, and machines by the example's
 * units.
 */
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { Machine, busyboxRoot, fetchFrom } from './systemd-machine.ts';
import { FORWARDING, addressOf, attach, define, detach, stateOf } from '../kernel/attach-bed.ts';
import { serve, until, withHost, world } from '../kernel/harness.ts';
import { readFileSync } from 'node:fs';

t.setTimeout(180_000);

const CONTEST = readFileSync(
  new URL('../../hooks/examples/nspawn/contest.conflist', import.meta.url),
  'utf8',
);

const NSPAWN = [
  'systemd-nspawn',
  '--quiet',
  '--register=no',
  '--keep-unit',
  '--console=pipe',
  '--link-journal=no',
];

t.test('--network-namespace-path', { skip: lackingFor('systemd-nspawn', 'busybox', 'socat') }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, { contest: CONTEST });
      await host.shell(`cd /run\n${busyboxRoot('web')}\necho 'this is web' > web/root/index.html`);
      await host.must(['mkdir', '-p', '/run/netns', '/run/systemd/nspawn']);
      const before = await stateOf(host);
      const [web] = await attach(host, '--create', 'web', '--port', '8080:80', 'contest:ifname=host0');
      const cgroups = `for each in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ -e $each/cgroup.procs ] || continue
        mkdir -p $each/${host.id}; echo $$ > $each/${host.id}/cgroup.procs
      done`;
      const command = [
        ...NSPAWN,
        '--resolv-conf=off',
        '--timezone=off',
        '--network-namespace-path=/run/netns/web',
        '--directory=/run/web',
      ];
      const script = 'ip -o -4 address show dev host0; exec httpd -f -p 80 -h /root';
      const container = host.start([
        'sh',
        '-eu',
        '-c',
        `${cgroups}\nexec "$@"`,
        'sh',
        ...command,
        '--as-pid2',
        '/bin/sh',
        '-c',
        script,
      ]);
      await container.until(
        () => container.output.includes(addressOf(web)),
        'container shows its address',
        20_000,
      );
      const page = await until(
        async () => fetchFrom(host.outside, world.host4, 8080),
        'the published port answers',
        10_000,
      );
      t.equal(page, 'this is web\n');
      t.match(
        await host.ip('link', 'show', 'dev', 'contest0'),
        [{ ifname: 'contest0', operstate: 'UP' }],
        'the bridge came with its first member',
      );
      await container.stop();
      await detach(host, '--netns', 'web', '--delete');
      const after = await stateOf(host);
      t.strictSame(
        { ...after, files: [], processes: [] },
        { ...before, files: [], processes: [] },
        'and went with the last',
      );
    },
    FORWARDING,
  );
});

function machineRoot(name: string): string {
  return `${busyboxRoot(`var/lib/machines/${name}`)}
echo 'this is ${name}' > var/lib/machines/${name}/root/index.html
echo '::respawn:/bin/httpd -f -p 80 -h /root' > var/lib/machines/${name}/etc/inittab
# The init of busybox powers off at another signal than that of systemd.
mkdir -p etc/systemd/nspawn
printf '[Exec]\\nKillSignal=SIGUSR2\\n' > etc/systemd/nspawn/${name}.nspawn
`;
}

const PREPARE = `
${machineRoot('ant')}
${machineRoot('bee')}
cat > etc/netmoor/ant.env <<'end'
NETMOOR_NETWORKS=contest:ifname=host0,port=8081:80
NETMOOR_OPTIONS=--dns 192.0.2.53 --dns-search ants.example
end
echo 'nameserver 192.0.2.99' > etc/resolv.conf
ln -sf ../run/none var/lib/machines/ant/etc/resolv.conf
echo 'NETMOOR_NETWORKS=contest:ifname=host0,port=8082:80' > etc/netmoor/bee.env
`;

const skip = lackingFor('systemd-nspawn', 'busybox', 'socat', 'dbus-daemon');

t.test('machines by systemd-nspawn@.service', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await serve(host, 'tcp', 80);
    const machine = await Machine.boot(host, PREPARE);
    const links = async (): Promise<string[]> => {
      const listed = JSON.parse(await machine.must('ip', '-j', 'link', 'show', 'type', 'bridge')) as {
        ifname?: string;
      }[];
      return listed.flatMap(({ ifname }) => ifname ?? []);
    };
    await machine.must('systemctl', 'start', 'systemd-nspawn@ant', 'systemd-nspawn@bee');
    for (const [name, port] of [
      ['ant', 8081],
      ['bee', 8082],
    ] as const) {
      t.equal(await until(async () => machine.fetch(port), `${name} answers`, 20_000), `this is ${name}\n`);
    }
    const resolvConf = (name: string) => machine.must('cat', `/var/lib/machines/${name}/etc/resolv.conf`);
    t.match(await resolvConf('ant'), /^search ants\.example\nnameserver 192\.0\.2\.53$/m);
    t.equal(await resolvConf('bee'), 'nameserver 192.0.2.99\n', 'where nobody names any: those of the host');
    t.equal(await machine.must('cat', '/etc/resolv.conf'), 'nameserver 192.0.2.99\n');
    t.match(await machine.must('machinectl', 'list', '--no-legend'), /^ant +container systemd-nspawn/m);
    const addresses = await machine.must(
      'netmoor',
      'exec',
      'ant',
      '--',
      'ip',
      '-o',
      '-4',
      'address',
      'show',
      'dev',
      'host0',
    );
    t.match(addresses, /inet 10\.|inet 172\.|inet 192\.168\./);
    const bee = /^(\S+)\tbee\t/m.exec(await machine.must('cat', '/run/netmoor/hosts'))?.[1] ?? '';
    await machine.must('netmoor', 'exec', 'ant', '--', 'ping', '-c', '1', '-W', '5', bee);
    await machine.must('systemctl', 'stop', 'systemd-nspawn@ant');
    t.same(await links(), ['contest0'], 'the bridge stays for bee');
    t.equal(await machine.fetch(8082), 'this is bee\n');
    await machine.must('systemctl', 'stop', 'systemd-nspawn@bee');
    const stopped = async () => (await machine.property('netns@bee', 'ActiveState')) === 'inactive';
    await until(stopped, 'the namespace is gone', 10_000);
    t.same(await links(), []);
    t.strictSame(JSON.parse(await machine.must('netmoor', 'ls', '--json')), []);
  });
});
