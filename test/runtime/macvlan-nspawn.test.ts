/** A machine of systemd-nspawn on a LAN, by the example's units and network. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { until } from '../kernel/harness.ts';
import { lackingFor } from './lacking.ts';
import { RDNSS, slaacOf, withLanHost } from './macvlan-bed.ts';
import { Machine, busyboxRoot, fetchFrom } from './systemd-machine.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'busybox', 'socat', 'dbus-daemon', 'radvd', 'tcpdump', 'nft');
const OFFICE = readFileSync(new URL('../../hooks/examples/nspawn/office.env', import.meta.url), 'utf8');
const RADVD = `prefix 2001:db8:50::/64 {}; RDNSS fe80::1 ${RDNSS} {}; DNSSL lan.example {};`;

/** The wire of the machine that runs them, `host0`, is its interface on the LAN. */
const PREPARE = `
${busyboxRoot('var/lib/machines/ant')}
echo 'this is ant' > var/lib/machines/ant/root/index.html
echo '::respawn:/bin/httpd -f -p 80 -h /root' > var/lib/machines/ant/etc/inittab
# The init of busybox powers off at another signal than that of systemd.
mkdir -p etc/systemd/nspawn
printf '[Exec]\\nKillSignal=SIGUSR2\\n' > etc/systemd/nspawn/ant.nspawn
echo 'nameserver 192.0.2.99' > etc/resolv.conf
sed -i 's/"eth0"/"host0"/' etc/cni/net.d/office.conflist
cat > etc/netmoor/ant.env <<'end'
${OFFICE}end
`;

interface Attachment {
  readonly mac: string;
  readonly addresses: readonly { readonly address: string }[];
}

t.test('a machine that is a host on the LAN', { skip }, async (t) => {
  await withLanHost(
    t,
    async ({ host, lan, peer }) => {
      const machine = await Machine.boot(host, PREPARE);
      await host.must(['ip', 'link', 'set', 've-moored', 'netns', lan.switch.netnsPath]);
      await lan.switch.shell('ip link set ve-moored master lan up');
      const attached = async () => JSON.parse(await machine.must('netmoor', 'ls', '--json')) as Attachment[];
      const addressNow = async () => {
        const [
          {
            mac,
            addresses: [first],
          } = { mac: '', addresses: [] },
        ] = await attached();
        t.equal(first?.address, `${slaacOf(mac)}/64`);
        return slaacOf(mac);
      };
      await machine.must('systemctl', 'start', 'systemd-nspawn@ant');
      const address = await addressNow();
      const page = () => fetchFrom(peer.place, address, 80);
      t.equal(await until(page, 'ant answers', 20_000), 'this is ant\n');
      t.ok(await peer.pings(address), 'a peer reaches it');
      const seen = await machine.must(
        'netmoor',
        'exec',
        'ant',
        '--',
        'ip',
        '-o',
        '-6',
        'address',
        'show',
        'host0',
      );
      t.ok(seen.includes(`${address}/64`));
      const resolvConf = await machine.must('cat', '/var/lib/machines/ant/etc/resolv.conf');
      t.same(
        resolvConf.split('\n').filter((line) => !line.startsWith('#')),
        ['search lan.example', 'nameserver fe80::1%host0', `nameserver ${RDNSS}`, ''],
      );
      t.equal(await machine.must('cat', '/etc/resolv.conf'), 'nameserver 192.0.2.99\n');
      await machine.must('netmoor', 'check');
      t.match(await machine.must('netmoor', 'show'), /master host0/);
      const stop = async () => {
        await machine.must('systemctl', 'stop', 'systemd-nspawn@ant');
        const stopped = async () => (await machine.property('netns@ant', 'ActiveState')) === 'inactive';
        await until(stopped, 'the namespace is gone', 10_000);
      };
      await stop();
      t.notOk(await peer.pings(address, 1000));
      t.same(await attached(), []);
      await machine.must('systemctl', 'start', 'systemd-nspawn@ant');
      t.equal(await addressNow(), address, 'the same address when it is started again');
      await stop();
      const left = await machine.must('ip', '-j', 'link', 'show', 'type', 'macvlan');
      t.same(
        (JSON.parse(left) as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []),
        [],
      );
    },
    { radvd: RADVD },
  );
});
