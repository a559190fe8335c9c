/**
 * What the guard must not disturb: all that containers rightly send, and the host, and strangers; through addresses
 * that the LAN gives, and gives anew.
 */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { changeAddresses, guardPort } from '../../lib/nftables/guard/guard.ts';
import type { MooredPort } from '../../lib/nftables/guard/guard.ts';
import { droppedFrames } from '../../lib/nftables/guard/check.ts';
import { guardInside } from '../../lib/nftables/guard/inside.ts';
import { LAN, identity, makeLan, moor, netfilterIn, port } from './guard-bed.ts';
import type { Bed } from './guard-bed.ts';
import { RA_BODY, icmp6, ipv4, ipv6, udp } from './guard-frames.ts';
import { heardBy, marker, sendFrame, startListener, startSender } from './guard-wire.ts';
import { ADVERTISE } from './rogue-router.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';

const skip = lacking('perl', 'taskset', 'ping') ?? false;
const [one, two] = [identity(11), identity(12)];
const ALL_NODES = { mac: '33:33:00:00:00:01', v6: 'ff02::1' } as const;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

const ping = (place: Place, to: string, ...options: readonly string[]) =>
  place.must(['ping', '-c1', '-W2', ...options, to]);

async function guardBoth(bed: Bed, place: Place, guarded: MooredPort): Promise<void> {
  await netfilterIn(bed.host, bed.host, (nf) => guardPort(nf, guarded, () => []));
  await netfilterIn(bed.host, place, (nf) => guardInside(nf, guarded));
}

/** RFC 4861 4.6.2: on-link, for autonomous configuration, for an hour. */
function prefixOption(prefix: string): Buffer {
  const option = Buffer.alloc(32);
  option.set([3, 4, 64, 0xc0]);
  option.writeUInt32BE(3600, 4);
  option.writeUInt32BE(3600, 8);
  const value = parseAddress(prefix).value;
  option.writeBigUInt64BE(value >> 64n, 16);
  return option;
}

/** A router on the LAN says a prefix. */
async function advertisePrefix(lan: Place, prefix: string): Promise<void> {
  const ends = { from: 'fe80::1', to: ALL_NODES.v6 };
  const body = icmp6(ends, 134, Buffer.concat([RA_BODY, prefixOption(prefix)]));
  await sendFrame(lan, ipv6({ from: LAN.mac, to: ALL_NODES.mac }, ends, 58, body));
}

/** The address that a place has in a prefix, once it may be used. */
async function addressIn(place: Place, prefix: string): Promise<string> {
  return until(async () => {
    const text = await place.must(['ip', '-6', 'address', 'show', 'dev', 'eth0', '-tentative']);
    return new RegExp(`${prefix}[0-9a-f:]+`).exec(text)?.[0];
  }, `address in ${prefix}`);
}

async function nothingDropped(host: Host): Promise<void> {
  await netfilterIn(host, host, (nf) => t.strictSame(droppedFrames(nf), [], 'nothing was dropped'));
}

t.test('what containers rightly send', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    const [c11, c12] = [await moor(host, 11), await moor(host, 12)];
    await guardBoth(bed, c11, port(bed, 11));
    await guardBoth(bed, c12, port(bed, 12));
    for (const to of [LAN.v4, LAN.v6, two.v4, two.v6]) {
      await ping(c11, to);
      await ping(c11, to, '-s', '5000');
    }
    await ping(c11, `${two.linkLocal}%eth0`);
    for (const to of [one.v4, one.v6]) await ping(bed.lan, to, '-s', '3000');

    const sender = await startSender(c11);
    const listeners = { lan: await startListener(bed.lan) };
    const mark = marker();
    const sentinel = () =>
      mark(ipv4({ from: one.mac, to: BROADCAST }, { from: one.v4, to: LAN.v4 }, 17, udp(9, 9)));
    const nobody = { from: '0.0.0.0', to: '255.255.255.255' };
    const legitimate = {
      'DHCP discover': ipv4({ from: one.mac, to: BROADCAST }, nobody, 17, udp(68, 67)),
      'DHCPv6 solicit': ipv6(
        { from: one.mac, to: '33:33:00:01:00:02' },
        { from: one.linkLocal, to: 'ff02::1:2' },
        17,
        udp(546, 547),
      ),
      'IGMP report without an address': ipv4(
        { from: one.mac, to: '01:00:5e:00:00:16' },
        { from: '0.0.0.0', to: '224.0.0.22' },
        2,
        Buffer.from('2200f9fd0000000100000000', 'hex'),
      ),
    };
    for (const [what, frame] of Object.entries(legitimate))
      t.strictSame(await heardBy(sender, mark(frame), sentinel(), listeners), ['lan'], what);
    await nothingDropped(host);
  });
});

t.test('addresses from the LAN, renumbered', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    const c11 = await moor(host, 11);
    await c11.shell(`
      ip -6 address flush dev eth0
      ip link set eth0 down
      echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad
      echo 1 > /proc/sys/net/ipv6/conf/eth0/dad_transmits
      echo 0 > /proc/sys/net/ipv6/conf/eth0/addr_gen_mode`);
    const { lan } = bed;
    await lan.shell('ip address add fd00:a::1/64 dev eth0 nodad; ip address add fd00:b::1/64 dev eth0 nodad');
    const heard = await startListener(lan);
    await guardBoth(bed, c11, port(bed, 11, { addresses: [], held: [] }));
    await c11.must(['ip', 'link', 'set', 'eth0', 'up']);
    await until(
      () => heard.output.includes(`333300000016${one.mac.replaceAll(':', '')}86dd`),
      'a listener report',
    );
    for (const prefix of ['fd00:a::', 'fd00:b::']) {
      await advertisePrefix(lan, prefix);
      await addressIn(c11, prefix);
      await ping(c11, `${prefix}1`);
      await ping(lan, `${prefix}${one.eui64}`);
    }
    await nothingDropped(host);
  });
});

t.test('identifiers that differ by prefix', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    const { lan } = bed;
    const c11 = await moor(host, 11);
    await c11.shell(`
      ip -6 address flush dev eth0
      ip link set eth0 down
      echo fd01::1234 > /proc/sys/net/ipv6/conf/eth0/stable_secret
      echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad
      ip link set eth0 up`);
    await lan.shell('ip address add fd00:a::1/64 dev eth0 nodad; ip address add fd00:b::1/64 dev eth0 nodad');
    const linkLocal = await addressIn(c11, 'fe80::');
    await advertisePrefix(lan, 'fd00:a::');
    const first = await addressIn(c11, 'fd00:a::');
    const prefixes = [{ address: parseAddress('fd00:a::'), length: 64 }];
    const common = { identifiers: [], held: [], roams: true, prefixes };
    const before = port(bed, 11, { ...common, addresses: [linkLocal].map(parseAddress) });
    const after = port(bed, 11, { ...common, addresses: [linkLocal, first].map(parseAddress) });
    await guardBoth(bed, c11, before);
    t.not((await c11.run(['ping', '-c1', '-W1', 'fd00:a::1'])).code, 0, 'in a known prefix it must be known');
    await netfilterIn(host, host, (nf) => changeAddresses(nf, before, after, () => []));
    await netfilterIn(host, c11, (nf) => guardInside(nf, after));
    await ping(c11, 'fd00:a::1');
    await advertisePrefix(lan, 'fd00:b::');
    await addressIn(c11, 'fd00:b::');
    await ping(c11, 'fd00:b::1');
    await c11.must(['ip', 'address', 'add', 'fd00:a::bad/64', 'dev', 'eth0', 'nodad']);
    const bad = await c11.run(['ping', '-c1', '-W1', '-I', 'fd00:a::bad', 'fd00:a::1']);
    t.not(bad.code, 0, 'in a known prefix no other');
  });
});

t.test("the host's own traffic, also after its MAC address has changed", { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    const { lan } = bed;
    await moor(host, 11);
    const inner = await host.container('inner');
    await host.shell(`
      ip link add inner0 type veth peer name eth0 netns inner
      ip link set inner0 up; ip -n inner link set eth0 up
      ip address add 10.8.0.1/24 dev inner0; ip -n inner address add 10.8.0.2/24 dev eth0
      ip -n inner route add default via 10.8.0.1; ip -n lan route add 10.8.0.0/24 via 10.9.0.2
      echo 1 > /proc/sys/net/ipv4/ip_forward`);
    await netfilterIn(host, host, (nf) => guardPort(nf, port(bed, 11), () => []));
    const heard = await startListener(lan);
    for (const mac of ['02:00:5e:00:01:02', '02:00:5e:00:77:77']) {
      await host.shell(
        `ip link set lan0 address ${mac}; ip neigh flush dev lan0; ip -n lan neigh flush dev eth0`,
      );
      const from = mac.replaceAll(':', '');
      await ping(host, LAN.v4);
      await ping(host, LAN.v6, '-s', '5000');
      await ping(lan, 'fd00:9::2');
      await ping(inner, LAN.v4);
      await host.must(['perl', '-e', ADVERTISE, String(bed.master.index)]);
      await until(
        () => new RegExp(`333300000001${from}86dd.{80}86`).test(heard.output),
        'its router advertisement',
      );
      await host.shell(`echo answer | socat - UDP4-SENDTO:${LAN.v4}:68,sourceport=67`);
      await until(() => new RegExp(`${from}0800.{40}00430044`).test(heard.output), 'its DHCP answer');
      // As a virtual machine's: from a MAC address and an IP address of its own choice.
      const sender = await startSender(host, { ifname: 'lan0' });
      const mark = marker();
      const frame = ipv4({ from: one.mac, to: BROADCAST }, { from: one.v4, to: LAN.v4 }, 17, udp(67, 68));
      const its = mark(frame);
      t.strictSame(
        await heardBy(sender, its, mark(frame), { lan: heard }),
        ['lan'],
        'a packet socket of the host',
      );
      await sender.stop();
    }
    await nothingDropped(host);
  });
});

/** A frame of a virtual machine's: written to the character device of a macvtap, behind struct virtio_net_hdr. */
const VIRTUAL_MACHINE = `open(my $tap, '+<', shift) or die "tap: $!";
  syswrite($tap, "\\0" x 10 . pack('H*', $_)) or die "write: $!" for @ARGV;`;

t.test('virtual machines of the host', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    await netfilterIn(host, host, (nf) => guardPort(nf, port(bed, 11), () => []));
    const numbers = await host.shell(`
      ip link add link lan0 name tap0 type macvtap mode bridge
      ip link set tap0 up
      mount -t sysfs sysfs /mnt
      cat /mnt/class/net/tap0/macvtap/tap*/dev
      umount /mnt`);
    const [major = '', minor = ''] = numbers.trim().split(':');
    await host.must(['mknod', '/tmp/tap', 'c', major, minor]);
    const heard = await startListener(bed.lan);
    const mac = '02:00:5e:00:55:55';
    const ends = { from: 'fe80::55', to: ALL_NODES.v6 };
    const frames = [
      ipv6({ from: mac, to: ALL_NODES.mac }, ends, 58, icmp6(ends, 134, RA_BODY)),
      ipv4({ from: mac, to: BROADCAST }, { from: '10.9.0.55', to: '255.255.255.255' }, 17, udp(67, 68)),
    ].map((frame) => frame.toString('hex'));
    await host.must(['perl', '-e', VIRTUAL_MACHINE, '/tmp/tap', ...frames]);
    for (const frame of frames)
      await until(() => heard.output.includes(frame), 'a frame of the virtual machine');
    await nothingDropped(host);
  });
});
