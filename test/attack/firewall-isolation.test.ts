/**
 * The ingress policy "isolated" against direct neighbours: what stays on the bridge, with br_netfilter's help and
 * without.
 */
import t from 'tap';
import { ask, lacking, serve, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { initPacket } from '../kernel/harness-sctp.ts';
import { Network } from '../kernel/moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const silence = { deadlineMs: 300 };
const ipam = { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] };
const PORTS = {
  ports: [
    { hostPort: 8080, containerPort: 80 },
    { hostPort: 5300, containerPort: 53, protocol: 'udp' },
  ],
};

interface Moored {
  readonly place: Place;
  readonly ip4: string;
  readonly ip6: string;
}

async function seeBridged(host: Host, seen: boolean): Promise<void> {
  await host.shell(
    `for family in ip ip6; do echo ${seen ? 1 : 0} > /proc/sys/net/bridge/bridge-nf-call-\${family}tables; done`,
  );
}

async function serveAll(place: Place): Promise<void> {
  for (const [transport, port] of [
    ['tcp', 80],
    ['udp', 53],
  ] as const) {
    await serve(place, transport, port);
    await serve(place, transport, port, { address: '::' });
  }
}

/** Whether `from` gets answers of `to`: TCP and UDP in IPv4, then in IPv6. */
async function reaches(from: Place, to: Moored, options = {}): Promise<boolean[]> {
  const answers = [];
  for (const address of [to.ip4, to.ip6])
    for (const [transport, port] of [
      ['tcp', 80],
      ['udp', 53],
    ] as const)
      answers.push((await ask(from, transport, address, port, options)) !== undefined);
  return answers;
}

async function pings(from: Place, to: Moored): Promise<boolean[]> {
  const one = async (address: string) => (await from.run(['ping', '-c', '1', '-W', '1', address])).code === 0;
  return [await one(to.ip4), await one(to.ip6)];
}

const ALL = [true, true, true, true];
const NONE = [false, false, false, false];

for (const bridged of [false, true]) {
  t.test(`isolated and open neighbours${bridged ? ' (bridged frames seen)' : ''}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await seeBridged(host, bridged);
      const closed = new Network(host, { name: 'closed', bridge: 'quay', ingressPolicy: 'isolated', ipam });
      const open = new Network(host, { name: 'open', bridge: 'quay', ipam });
      const c1 = await closed.container('c1', PORTS);
      const c2 = await closed.container('c2');
      const c3 = await open.container('c3');
      const c4 = await open.container('c4');
      for (const { place } of [c1, c2, c3, c4]) await serveAll(place);
      t.same(await reaches(c3.place, c1, silence), NONE, 'an open neighbour does not reach an isolated one');
      t.same(await pings(c3.place, c1), [false, false]);
      t.same(await reaches(c2.place, c1, silence), NONE, 'nor does another isolated one');
      t.same(await reaches(c1.place, c2, silence), NONE, 'nor the other way round');
      if (!bridged) {
        // With br_netfilter the inet table guards the bridge as a whole, whatever policy the others on it have.
        t.same(await reaches(c1.place, c3), ALL, 'the isolated one reaches the open one, and is answered');
        t.same(await pings(c1.place, c3), [true, true]);
        t.same(await reaches(c4.place, c3), ALL, 'open ones reach each other');
      }
      t.same(await reaches(host, c1), ALL, 'the host reaches it');
      for (const [who, place] of [
        ['outside', host.outside],
        ['an open neighbour', c3.place],
        ['an isolated neighbour', c2.place],
        ['the container itself', c1.place],
      ] as const) {
        for (const address of [world.host4, world.host6]) {
          t.match(await ask(place, 'tcp', address, 8080), { from: 'c1' }, `its published port from ${who}`);
          t.match(await ask(place, 'udp', address, 5300), { from: 'c1' });
        }
      }
      await serve(host.outside, 'tcp', 80);
      t.ok(await ask(c1.place, 'tcp', world.internet4, 80), 'its way out');
    });
  });
}

t.test('what a crafty neighbour sends', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await seeBridged(host, false);
    const closed = new Network(host, { name: 'closed', bridge: 'quay', ingressPolicy: 'isolated', ipam });
    const open = new Network(host, { name: 'open', bridge: 'quay', ipam });
    const c1 = await closed.container('c1');
    const c3 = await open.container('c3');
    await serveAll(c3.place);
    const ear = c1.place.start(['tcpdump', '-lnpi', 'eth0', `src host ${c3.ip4} and ip`]);
    await ear.until(() => ear.errors.includes('listening'), 'tcpdump');
    const mac = String((await c1.place.ip('link', 'show', 'eth0'))[0]?.address);
    const own = (await c3.place.ip('link', 'show', 'eth0'))[0];
    const send = async (...packet: [to: string, protocol: string, fragment: string, payload: string]) =>
      c3.place.must([
        'perl',
        '-e',
        CRAFT,
        String(own?.['ifindex']),
        String(own?.address),
        c3.ip4,
        c1.ip4,
        ...packet,
      ]);
    await send('ff:ff:ff:ff:ff:ff', '17', '0000', 'c000003500090000ff');
    await send(mac, '17', '0000', 'c000003500090000ff');
    await send(mac, '6', '0000', `c0000050${'00000001'.repeat(2)}500204000000${'0000'}`);
    // The beginning of a SYN in a fragment so small that the flags are in the next (RFC 1858).
    await send(mac, '6', '2000', 'c000005000000001');
    await send(mac, '47', '0000', '00000800');
    await send(mac, '1', '0000', '0800f7ff00000000');
    await send(mac, '132', '0000', initPacket(49152, 36412).toString('hex'));
    // The answer to its own question, last: what was sent before would have come before.
    t.ok(await ask(c1.place, 'udp', c3.ip4, 53));
    await ear.until(() => ear.output.includes('.53 >'), 'the answer');
    const heard = ear.output.split('\n').filter((line) => line !== '');
    t.equal(heard.length, 1, 'nothing but the answer has come');
    t.match(heard[0], /\.53 > /);
  });
});

/**
 * Sends an IPv4 packet with a header of its own making (RFC 791). By interface index, own MAC address, source and
 * destination, MAC address, protocol, flags and fragment offset, payload.
 */
const CRAFT = `use Socket qw(:all);
  my ($index, $own, $from, $to, $mac, $protocol, $fragment, $payload) = @ARGV;
  my $data = pack("H*", $payload);
  my $header = pack("CCnnnCCn", 0x45, 0, 20 + length($data), 7, hex($fragment), 64, $protocol, 0);
  $header .= inet_aton($from) . inet_aton($to);
  my $sum = 0;
  $sum += $_ for unpack("n*", $header);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  substr($header, 10, 2) = pack("n", ~$sum & 0xffff);
  s/://g for $mac, $own;
  my $frame = pack("H12H12n", $mac, $own, 0x0800) . $header . $data;
  socket(my $s, 17, SOCK_RAW, 0) or die "socket: $!";
  send($s, $frame, 0, pack("SniSCCa8", 17, 0x0800, $index, 1, 0, 6, pack("H12", $mac))) or die "send: $!";`;

t.test('the policy goes with the container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const closed = new Network(host, { name: 'closed', ingressPolicy: 'isolated', ipam });
    const c1 = await closed.container('c1');
    t.equal(await closed.check('c1', c1.result), undefined);
    await host.shell('nft flush set bridge netmoor isolated');
    t.match(await closed.check('c1', c1.result), naming('isolated'));
    await closed.container('c2');
    t.equal(await closed.check('c1', c1.result), undefined, 'repaired with the next');
    await closed.del('c1');
    await closed.del('c2');
    t.same(await host.nft(), [], 'nothing stays');
  });
});
