/** Ways out of networks with an egress of their own: proven by `netmoor check`, kept by the engine, swept by gc. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { attach, detach } from './attach-bed.ts';
import { Meter, STRICT, VPN, tryEverything, untilOut, vpn, vpnServer } from './egress-bed.ts';
import { startEngine } from './engine-bed.ts';
import { ask, lacking, serve, until, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { asked, netmoor } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

const VPN_LIST = JSON.parse(
  readFileSync(new URL('../../schemas/examples/egress-vpn.conflist', import.meta.url), 'utf8'),
) as { name: string };
const TOR_LIST = JSON.parse(
  readFileSync(new URL('../../schemas/examples/egress-tor.conflist', import.meta.url), 'utf8'),
) as { name: string };

function define(host: Host, list: { name: string }): void {
  host.write(`/etc/cni/net.d/${list.name}.conflist`, JSON.stringify(list));
}

t.test(
  'check says where traffic leaves; the engine leads it there again',
  { skip, timeout: 120_000 },
  async (t) => {
    await withHost(
      t,
      async (host) => {
        define(host, VPN_LIST);
        define(host, { name: 'plain', plugins: [{ type: 'bridge-nat', ...DUAL_STACK }] } as { name: string });
        const meter = await Meter.install(host);
        await vpnServer(host);
        const c1 = await host.container('c1');
        await attach(host, '--netns', 'c1', VPN_LIST.name);
        const ways = async (...words: string[]): Promise<unknown> => {
          const { probes = [] } = (await asked(host, 'check', ...words)).view;
          return probes.flatMap(({ ways: each, complaints }) => [
            ...each.map(({ family, interface: name, source }) => [family, name, source]),
            ...complaints,
          ]);
        };
        const NOWHERE = [
          [4, undefined, undefined],
          [6, undefined, undefined],
        ];
        t.strictSame(await ways(), NOWHERE, 'no tunnel');
        const engine = await startEngine(host);
        const tunnel = await vpn(host);
        await untilOut(c1, 'way out, which the engine finds');
        const BOTH = [
          [4, 'tun0', VPN.host4],
          [6, 'tun0', VPN.host6],
        ];
        // Of IPv6 it may come a moment later.
        const both = async () => JSON.stringify(await ways()) === JSON.stringify(BOTH);
        await until(both, 'ways out of both families', 20_000);
        t.equal(await meter.read(), 'nothing', 'no probe has gone by the uplink');
        const { segments } = (await asked(host, 'show', VPN_LIST.name)).view;
        t.match(segments, [{ name: 'nm-vpn', egress: { ipv4: 'tun0', ipv6: 'tun0' } }]);
        await host.shell(
          'ip rule flush; ip rule add lookup main pref 32766; ip rule add lookup default pref 32767',
        );
        const rule = async () => (await host.ip('rule', 'show', 'iif', 'nm-vpn')).length === 1;
        await until(rule, 'rule that the engine puts back');
        await tunnel.stop();
        const why = async () => engine.errors.includes('has no way out now');
        await until(why, 'word of the engine');
        await engine.stop();
        await host.shell('ip rule delete pref 109; ip -6 rule delete pref 109');
        t.match((await asked(host, 'repair')).view.repaired, [{ network: 'vpn' }], 'and so does repair');
        t.ok(await rule());

        t.match(await ways('--probe', 'plain'), [
          [4, world.uplink, world.host4],
          [6, world.uplink, world.host6],
        ]);
        await host.shell(`ip rule add iif nm-vpn lookup main pref 50
nft add element inet netmoor egress_via '{ "nm-vpn" . "uplink" }'`);
        t.match((await ways()) as string[], [
          [4, world.uplink, world.host4],
          [6, undefined, undefined],
          'IPv4 leaves by uplink, where it must not',
        ]);
        await host.must(['ip', 'rule', 'delete', 'pref', '50']);
        const left = await host.shell('ls /var/lib/cni/results; ip -br link');
        t.notMatch(left, /netmoor-probe/, 'nothing of the probes is left');
        await detach(host, '--netns', 'c1');
        t.equal(await host.shell('ip rule show iif nm-vpn; ip link show type bridge'), '');
      },
      STRICT,
    );
  },
);

t.test('by another uplink, with its gateway; and what cannot be', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`ip link add eth7 type veth peer name far netns /run/harness/outside
ip link set eth7 up; ip address add 192.168.7.2/24 dev eth7
ip address add fd07::2/64 dev eth7 nodad
nsenter --net=/run/harness/outside sh -eu -c 'ip link set far up; ip address add 192.168.7.1/24 dev far
ip address add fd07::1/64 dev far nodad'`);
    await serve(host.outside, 'udp', 7000, { name: 'internet', address: world.internet4 });
    const other = { ...DUAL_STACK, name: 'other', dns: { nameservers: ['192.168.7.1'] } };
    const blind = new Network(host, { ...other, egress: { interface: 'eth7' } });
    await host.container('c1');
    t.match(await blind.run('ADD', 'c1'), { code: 1, json: { code: 7, msg: naming('eth7', 'gateway') } });
    const via = ['192.168.7.1', 'fd07::1'];
    const network = new Network(host, { ...other, egress: { interface: 'eth7', via } });
    const result = await network.add('c1');
    const c1 = host.at('/run/netns/c1', 'c1');
    t.match(await ask(c1, 'udp', world.internet4, 7000), { from: 'internet', peer: '192.168.7.2' });
    t.match(await host.ip('-6', 'route', 'get', world.internet6, 'iif', 'nm-other', 'from', 'fd00:77::2'), [
      { gateway: 'fd07::1', dev: 'eth7' },
    ]);
    t.equal(await network.check('c1', result), undefined);
    const ipam = { ranges: [[{ subnet: '10.77.0.0/24', rangeStart: '10.77.0.100' }]] };
    const beside = new Network(host, { name: 'beside', bridge: 'nm-other', ipam, isGateway: true });
    await host.container('c2');
    t.match(await beside.run('ADD', 'c2'), {
      code: 1,
      json: { code: 7, msg: naming('beside', 'other', 'nm-other') },
    });
    t.equal(await network.check('c1', result), undefined, 'nothing has changed');
    await host.must(['ip', 'link', 'delete', 'eth7']);
    t.match(await network.check('c1', result), naming('no eth7', 'nothing leaks'));
    for (const verb of ['check', 'repair']) {
      const { out } = await netmoor(host, verb, 'other');
      t.match(out, naming('nothing leaks', 'bring that interface up'), verb);
      t.notMatch(out, /attach/, 'which would not help');
    }
    await network.del('c1');
    t.equal(await host.shell('ip rule show pref 109; ip -6 rule show pref 109'), '');
  });
});

t.test('gc finds ways out that nobody accounts for, and no others', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, {
      ...DUAL_STACK,
      egress: { interface: 'tun0' },
      dns: { nameservers: ['10.8.0.1'] },
    });
    await network.container('c1');
    const routing = async () => host.shell('ip rule; ip -6 rule; ip route show table all proto 109');
    const before = await routing();
    const [rule] = await host.ip('rule', 'show', 'iif', 'nm-harbour');
    await asked(host, 'gc');
    t.equal(await routing(), before, 'what is in use stays');
    await host.shell(`ip rule add iif nm-gone lookup 7200000 pref 109 protocol 109
ip route add unreachable default table 7200000 proto 109
ip route add unreachable default table 7200001 proto 109
ip rule add iif nm-other lookup 7 pref 109`);
    await asked(host, 'gc');
    t.match(await host.shell('ip rule'), /nm-other/, "others' rules are theirs");
    await host.must(['ip', 'rule', 'delete', 'pref', '109', 'iif', 'nm-other']);
    t.equal(await routing(), before);
    // The store is lost: the kernel is read back.
    await host.must(['rm', '-r', '/var/lib/cni/netmoor']);
    await asked(host, 'gc', '--rebuild');
    await network.container('c2');
    const [again] = await host.ip('rule', 'show', 'iif', 'nm-harbour');
    t.equal(again?.['table'], rule?.['table']);
    await network.del('c1');
    await network.del('c2');
    t.equal(await host.shell('ip rule show pref 109; ip route show table all proto 109'), '');
  });
});

/** Plays tor: says what it was asked for (SO_ORIGINAL_DST, linux/netfilter_ipv4.h), by whom. */
const STAND_IN = `use strict; use Socket qw(:all);
  my ($address, $port) = @ARGV;
  my $six = $address =~ /:/;
  socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address))) or die "bind: $!";
  listen($s, 5); $| = 1; print "listening\\n";
  while (accept(my $c, $s)) {
    my $raw = substr(getsockopt($c, $six ? 41 : 0, 80), 0, $six ? 28 : 16);
    my ($p, $a) = $six ? (unpack_sockaddr_in6($raw))[0, 1] : unpack_sockaddr_in($raw);
    print $c "tor ", inet_ntop($six ? AF_INET6 : AF_INET, $a), " $p\\n"; close $c;
  }`;

async function standIn(host: Host, address: string): Promise<void> {
  const tor = host.start(['perl', '-e', STAND_IN, address, '9040']);
  await tor.until(() => tor.output.includes('listening'), `stand-in on ${address}`);
  await serve(host, 'udp', 5353, { address, name: 'tor-dns' });
}

t.test('through tor: TCP and DNS, and nothing else', { skip, timeout: 60_000 }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, TOR_LIST);
      const meter = await Meter.install(host);
      const c1 = await host.container('c1');
      const [attached] = await attach(host, '--netns', 'c1', TOR_LIST.name);
      const gateways = ['10.90.0.1', 'fd90::1'] as const;
      t.strictSame(attached?.result.dns?.nameservers, gateways, 'any name server will do');
      for (const gateway of gateways) await standIn(host, gateway);
      for (const address of [world.internet4, world.internet6]) {
        t.match(await ask(c1, 'tcp', address, 443), { from: 'tor', peer: address, peerPort: 443 });
        t.match(await ask(c1, 'udp', address, 53), { from: 'tor-dns' });
      }
      t.match(await ask(c1, 'udp', gateways[0], 53), { from: 'tor-dns' });
      t.equal(await ask(c1, 'udp', gateways[0], 5300, { deadlineMs: 200 }), undefined);
      await tryEverything(c1, ...gateways);
      t.equal(await meter.read(), 'nothing');
      const { probes, ok } = (await asked(host, 'check')).view;
      t.match(probes, [
        { proxies: ['10.90.0.1:9040', '[fd90::1]:9040'], ways: [{ family: 4 }, { family: 6 }] },
      ]);
      t.notOk(probes?.some(({ ways }) => ways.some(({ interface: name }) => name !== undefined)));
      t.ok(ok);
      await serve(c1, 'tcp', 80);
      t.match(await ask(host, 'tcp', attached?.result.ips?.[0]?.address.split('/')[0] ?? '', 80), {
        from: 'c1',
      });
      await detach(host, '--netns', 'c1');
    },
    STRICT,
  );
});

t.test("the README's torrc is one", { skip }, async (t) => {
  const readme = readFileSync(new URL('../../plugins/bridge-nat/README.md', import.meta.url), 'utf8');
  const torrc = /```torrc\n([^`]*)```/.exec(readme)?.[1] ?? '';
  t.match(
    torrc,
    /TransPort 10\.90\.0\.1:9040\n[\s\S]*DNSPort 10\.90\.0\.1:5353\n[\s\S]*HiddenServicePort 80 10\.90\./,
  );
  await withHost(t, async (host) => {
    host.write('/etc/tor/torrc.netmoor', torrc);
    await host.shell('mkdir -p -m 700 /var/lib/tor/web; chown -R root /var/lib/tor');
    const { code, stdout } = await host.run([
      ...['tor', '--verify-config', '-f', '/etc/tor/torrc.netmoor'],
      ...['--DataDirectory', '/var/lib/tor', '--defaults-torrc', '/dev/null'],
    ]);
    t.match({ code, stdout }, { code: 0, stdout: naming('valid') });
  });
});
