/** netmoor repair: what was changed on the host behind our back is put back, and nothing else is touched. */
import t from 'tap';
import { until, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { ask, lacking, serve } from './harness.ts';
import { Docker } from '../runtime/docker.ts';
import { Live, echo } from './live.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { NETMOOR, asked, netmoor, refused } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking('ufw', 'firewalld', 'firewall-cmd', 'dbus-daemon') ?? false;
t.setTimeout(180_000);

const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
const silence = { deadlineMs: 200 };

/** In no order: what was made again is listed behind the others. */
async function ruleset(host: Host): Promise<string[]> {
  return (await host.must(['sh', '-c', `nft -s list ruleset`])).split('\n').sort();
}

/** The kernel's number of the table: another one, when it was replaced. */
async function handle(host: Host): Promise<unknown> {
  const { nftables } = JSON.parse(await host.must(['nft', '-ja', 'list', 'tables'])) as {
    nftables: { table?: { family: string; name: string; handle: number } }[];
  };
  return nftables.find(({ table }) => table?.family === 'inet' && table.name === 'netmoor')?.table?.handle;
}

interface Damage {
  readonly command: string;
  /** What is said to have been wrong. */
  readonly named: readonly string[];
  /** The table is built anew for it. */
  readonly whole?: true;
}

const HOST_END = '$HOST_END';
const IFB = '$IFB';

const DAMAGES: Readonly<Record<string, Damage>> = {
  'everything flushed': { command: 'nft flush ruleset', named: ['table inet netmoor'], whole: true },
  'the table deleted': {
    command: 'nft delete table inet netmoor',
    named: ['table inet netmoor'],
    whole: true,
  },
  'a chain emptied': {
    command: 'nft flush chain inet netmoor postrouting',
    named: ['postrouting'],
    whole: true,
  },
  'an address that is masqueraded no more': {
    command: "nft delete element inet netmoor masq4 '{ 10.77.0.2 }'",
    named: ['masq4', '10.77.0.2'],
  },
  'a port that is published no more': {
    command: "nft delete element inet netmoor publish4 '{ tcp . 8080 }'",
    named: ['publish4', '8080'],
  },
  'a port that leads elsewhere': {
    command: `nft "delete element inet netmoor publish4 { tcp . 8080 }
      add element inet netmoor publish4 { tcp . 8080 comment \\"harbour/c1/eth0\\" : 10.77.0.9 . 80 }"`,
    named: ['publish4', '10.77.0.9'],
  },
  'the way through a firewall': {
    command: 'iptables-nft -P FORWARD DROP; iptables-nft -D FORWARD 1',
    named: ['ip filter FORWARD'],
  },
  forwarding: {
    command: 'sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0',
    named: ['IPv4', 'IPv6'],
  },
  route_localnet: {
    command: 'sysctl -qw net.ipv4.conf.nm-harbour.route_localnet=0',
    named: ['route_localnet', 'nm-harbour'],
  },
  gateways: {
    command: 'ip address delete 10.77.0.1/24 dev nm-harbour; ip address delete fd00:77::1/64 dev nm-harbour',
    named: ['10.77.0.1/24', 'fd00:77::1/64'],
  },
  'the bridge down': { command: 'ip link set nm-harbour down', named: ['nm-harbour', 'down'] },
  'the bridge deleted': { command: 'ip link delete nm-harbour', named: ['nm-harbour', 'gone'] },
  'the port unplugged': { command: `ip link set ${HOST_END} nomaster`, named: [HOST_END, 'nm-harbour'] },
  'the port down, with another MTU': {
    command: `ip link set ${HOST_END} down mtu 1400`,
    named: [HOST_END, 'down', '1400'],
  },
  'hairpin mode off': {
    command: `bridge link set dev ${HOST_END} hairpin off`,
    named: ['hairpin', HOST_END],
  },
  'the limit to the container': {
    command: `tc qdisc delete dev ${HOST_END} root`,
    named: ['to the container'],
  },
  'the limit from the container': { command: `ip link delete ${IFB}`, named: [IFB] },
  'another limit from the container, and no filter': {
    command: `tc qdisc replace dev ${IFB} root handle 1: tbf rate 1mbit burst 100k latency 25ms
      tc qdisc delete dev ${HOST_END} ingress`,
    named: ['1000000 bit/s', 'redirect'],
  },
};

t.test('each thing is put back, and the next time there is nothing to do', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -j ACCEPT -i mine');
    const network = new Network(host, DUAL_STACK);
    await serve(host.outside, 'tcp', 80);
    const bandwidth = { ingressRate: 80e6, ingressBurst: 8e6, egressRate: 80e6, egressBurst: 8e6 };
    const { place, result } = await network.container('c1', { ports: PORTS, bandwidth });
    await network.container('c2');
    await serve(place, 'tcp', 80);
    const hostEnd = result.interfaces?.[1]?.name ?? '';
    const ifb = hostEnd.replace('nmv', 'nmb');
    const actual = (text: string): string => text.replaceAll(HOST_END, hostEnd).replaceAll(IFB, ifb);
    const rules = await ruleset(host);
    for (const [what, { command, named, whole }] of Object.entries(DAMAGES)) {
      const table = await handle(host);
      await host.shell(actual(command));
      const { yes, view } = await asked(host, 'repair');
      t.equal(yes, true, `${what}: repaired`);
      t.match(view, { ok: true, left: [], failures: [] }, what);
      const mended = view.repaired.find(({ containerId }) => containerId === 'c1')?.mended.join('; ') ?? '';
      t.match(mended, naming(...named.map(actual)), `${what}: named`);
      // With the whole ruleset other people's is gone, too.
      if (what === 'everything flushed')
        await host.shell('iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -j ACCEPT -i mine');
      const quiet = await netmoor(host, 'repair');
      if (what !== 'everything flushed') t.same(quiet, { code: 0, out: '', err: '' }, `${what}: quiet then`);
      t.same(await ruleset(host), rules, `${what}: the rules are as they were`);
      if (!whole) t.equal(await handle(host), table, `${what}: in the table that there was`);
    }
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
    t.match(await ask(place, 'tcp', world.internet4, 80), { from: 'outside' });
    t.match(await asked(host, 'check', '--repair'), { yes: true, view: { ok: true, repaired: [] } });
    await host.shell(`nft flush ruleset; ip link delete ${ifb}`);
    t.match(await asked(host, 'check', '--repair'), {
      yes: true,
      view: { ok: true, repaired: [{ containerId: 'c1' }, { containerId: 'c2' }] },
    });
  });
});

t.test('connections go on', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { place } = await network.container('c1', { ports: PORTS });
    await echo(place, 80);
    await echo(host.outside, 80);
    const both = [new Live(host.outside, world.host4, 8080), new Live(place, world.internet4, 80)];
    // An acknowledgement may be late, and is something that is sent, too.
    const isQuiet = async (): Promise<boolean> => {
      const states = [host.outside, place].map(async (each) =>
        each.must(['ss', '-Htin', 'state', 'established']),
      );
      return (await Promise.all(states)).every((text) => !/unacked|notsent/.test(text));
    };
    const through = async (what: string, damage: string, going: boolean): Promise<void> => {
      for (const live of both) await live.exchange();
      if (!going) await until(isQuiet, 'the last acknowledgement');
      if (going) for (const live of both) live.go();
      await host.shell(damage);
      t.match(await asked(host, 'repair'), { yes: true, view: { ok: true } }, what);
      const counts = both.map(({ count }) => count);
      if (!going) for (const live of both) live.go();
      await until(async () => both.every(({ count }, at) => count > (counts[at] ?? 0) + 10), what);
      for (const live of both) await t.resolves(live.rest(), `${what}: the connection lives`);
    };
    await through(
      'its elements gone',
      'nft flush set inet netmoor masq4; nft flush map inet netmoor publish4',
      true,
    );
    // Without any other rule that needs it, the kernel stops translating altogether: whoever sends then is reset.
    await through('everything gone, while nothing is sent', 'nft flush ruleset', false);
    await host.shell('iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE');
    await through('the table gone, on a host with Docker', 'nft delete table inet netmoor', true);
    for (const live of both) await live.close();
  });
});

/** How Docker begins: its chains, its own rules, and the policy (daemon/libnetwork/iptables). */
const DOCKER = `
  for table in iptables-nft ip6tables-nft; do
    $table -F FORWARD
    $table -N DOCKER-USER 2>/dev/null || $table -F DOCKER-USER
    $table -A DOCKER-USER -j RETURN
    $table -A FORWARD -j DOCKER-USER
    $table -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    $table -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    $table -P FORWARD DROP
  done`;

const FIREWALLD = `
  mkdir -p /run/dbus
  dbus-daemon --system --fork --nopidfile
  firewalld --nofork --nopid > /run/firewalld.log 2>&1 &`;

t.test('firewalls that are loaded anew', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { place } = await network.container('c1', { ports: PORTS });
    await serve(place, 'tcp', 80);
    await serve(host.outside, 'tcp', 80);
    const reached = async () => [
      (await ask(host.outside, 'tcp', world.host4, 8080))?.from,
      (await ask(place, 'tcp', world.internet4, 80))?.from,
    ];
    const others = async (): Promise<string[]> => {
      const all = (await host.must(['nft', '-s', 'list', 'ruleset'])).split('\n');
      return all.filter((line) => !line.includes('nm-harbour'));
    };
    const again = async (what: string, load: string): Promise<void> => {
      await host.shell(load, { deadlineMs: 60_000 });
      t.equal(await ask(place, 'tcp', world.internet4, 80, silence), undefined, `${what}: shut`);
      const before = await others();
      t.match(await asked(host, 'repair'), { yes: true, view: { ok: true } }, what);
      t.same(await reached(), ['c1', 'outside'], `${what}: open again`);
      t.same(await others(), before, `${what}: what is others' was left alone`);
    };
    await again('docker starts', DOCKER);
    await again('docker starts again', DOCKER);
    await again('ufw is enabled', 'iptables-nft -F FORWARD; ufw --force enable');
    await again(
      'ufw is reset by its rules',
      'ufw --force disable; iptables-nft -F FORWARD; ufw --force enable',
    );
    await host.shell('ufw reload');
    t.match(await asked(host, 'repair'), { yes: true }, 'ufw reload');
    t.same(await reached(), ['c1', 'outside'], 'after ufw reload');
    await host.shell(FIREWALLD);
    const running = async () => (await host.run(['firewall-cmd', '--state'])).stdout.trim() === 'running';
    await until(running, 'firewalld', 30_000);
    await again('firewalld starts', ':');
    await again('firewalld is reloaded', 'firewall-cmd --reload');
  });
});

t.test('Docker was there first, and is restarted', { skip: lacking('dockerd') ?? false }, async (t) => {
  await withHost(t, async (host) => {
    const docker = await Docker.start(host);
    t.match(
      await host.must(['iptables-nft', '-S', 'FORWARD']),
      /^-P FORWARD DROP$/m,
      'it forwards its own alone',
    );
    const { place } = await new Network(host, DUAL_STACK).container('c1', { ports: PORTS });
    await serve(place, 'tcp', 80);
    await serve(host.outside, 'tcp', 80);
    const reached = async () => [
      (await ask(host.outside, 'tcp', world.host4, 8080))?.from,
      (await ask(place, 'tcp', world.internet4, 80))?.from,
    ];
    t.same(await reached(), ['c1', 'outside'], 'beside it');
    await docker.restart();
    t.match(await asked(host, 'repair'), { yes: true, view: { ok: true } });
    t.same(await reached(), ['c1', 'outside'], 'after its restart');
    await host.shell('iptables-nft -F FORWARD; iptables-nft -F DOCKER-USER');
    t.equal(await ask(place, 'tcp', world.internet4, 80, silence), undefined, 'its chains are emptied: shut');
    await docker.restart();
    t.match(await asked(host, 'repair'), { yes: true, view: { ok: true } });
    t.same(await reached(), ['c1', 'outside'], 'put back');
  });
});

t.test('what the host cannot mend is named, and what helps', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { place } = await network.container('c1', { ports: PORTS });
    await network.container('gone');
    await place.must(['ip', 'link', 'set', 'eth0', 'down']);
    await host.must(['nft', 'flush', 'ruleset']);
    const links = async () => (await host.ip('link', 'show', 'master', 'nm-harbour')).length;
    await host.removeContainer('gone');
    await until(async () => (await links()) === 1, 'end of the veth');
    const { yes, view } = await asked(host, 'repair');
    t.equal(yes, false);
    t.match(view.repaired, [{ containerId: 'c1', mended: [/inet netmoor/] }]);
    t.match(
      view.left.toSorted((a, b) => (a.containerId < b.containerId ? -1 : 1)),
      [
        { containerId: 'c1', differences: [/eth0 is down/] },
        { containerId: 'gone', stale: true },
      ],
    );
    const told = await netmoor(host, 'repair');
    t.match(told.out, /netmoor gc/);
    t.match(told.out, /netmoor attach/);
    t.match(await asked(host, 'repair', 'gone'), { yes: true }, 'nothing is promised to the dead');
    t.match(await refused(host, 'repair', 'nobody'), { exit: 1, code: 3 });
  });
});

t.test('elsewhere, without rights, and with a store that is broken', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const usual = new Network(host, DUAL_STACK);
    const far = new Network(host, { name: 'far', ipam: { subnet: '10.88.0.0/24', dataDir: '/opt/leases' } });
    const c1 = await usual.container('c1', { ports: PORTS });
    await far.container('c2');
    await host.shell('nft flush ruleset; ip netns add other');
    const elsewhere = await host.run(['ip', 'netns', 'exec', 'other', NETMOOR, 'repair']);
    t.match(elsewhere, { code: 0, stdout: '' });
    t.equal(
      await host.shell('ip netns exec other nft list ruleset; nft list tables'),
      '',
      'nothing was touched',
    );
    const nobody = await host.run([
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
      NETMOOR,
      'repair',
      '--json',
    ]);
    t.match({ code: nobody.code, error: JSON.parse(nobody.stdout) }, { code: 1, error: { code: 106 } });
    t.equal(await host.must(['nft', 'list', 'tables']), '');
    await host.shell('rm /opt/leases/*; echo rubbish > /opt/leases/leases.db');
    const { yes, view } = await asked(host, 'repair');
    t.equal(yes, false);
    t.match(view, { repaired: [{ containerId: 'c1' }], left: [], failures: [naming('/opt/leases')] });
    t.equal(await usual.check('c1', c1.result, { ports: PORTS }), undefined);
  });
});

t.test('attack: rules are flushed over and over while containers come and go', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const flushing = host.start([
      'sh',
      '-c',
      'while :; do nft flush ruleset; nft delete table inet netmoor 2>/dev/null; done',
    ]);
    const names = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'];
    for (const name of names) await host.container(name);
    const results = await Promise.all(names.map((name) => network.run('ADD', name)));
    const repairs = await Promise.all([netmoor(host, 'repair', '--json'), netmoor(host, 'repair', '--json')]);
    for (const { out } of repairs) t.doesNotThrow(() => JSON.parse(out), 'an answer, whatever it is');
    await network.run('DEL', 'c6');
    await flushing.stop();
    t.match(await asked(host, 'repair'), { yes: true });
    t.match(await asked(host, 'check'), { yes: true, view: { ok: true } });
    const attached = names.filter((_, index) => results[index]?.code === 0);
    t.ok(attached.length > 0, 'some were attached meanwhile');
    for (const name of names) await network.del(name);
    t.same(await host.nft(), [], 'nothing is left');
  });
});
