/** Who is allowed more than others, and masters behind which only known MAC addresses send. */
import t from 'tap';
import type { Test } from 'tap';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { admitHost, dismissHost, guardPort } from '../../lib/nftables/guard/guard.ts';
import type { MooredPort } from '../../lib/nftables/guard/guard.ts';
import { guardInside } from '../../lib/nftables/guard/inside.ts';
import { LAN, MASTER_MAC, identity, makeLan, moor, netfilterIn, port } from './guard-bed.ts';
import type { Bed } from './guard-bed.ts';
import { RA_BODY, icmp6, ipv4, ipv6, redirectBody, udp } from './guard-frames.ts';
import type { Ends } from './guard-frames.ts';
import { heardBy, marker, startListener, startSender } from './guard-wire.ts';
import { lacking, withHost } from './harness.ts';
import type { Place } from './harness.ts';

const skip = lacking('perl', 'taskset', 'ping') ?? false;
const [one, two, victim] = [identity(11), identity(12), identity(13)];
const UNKNOWN = '02:00:5e:00:66:66';
const SHIM = '02:00:5e:00:03:03';
const none = (): MooredPort[] => [];

const toAll = { from: one.linkLocal, to: 'ff02::1' };
const own6 = { from: one.v6, to: 'ff02::1' };

const FRAMES = {
  'router advertisement': (ends: Ends) => ipv6(ends, toAll, 58, icmp6(toAll, 134, RA_BODY)),
  redirect: (ends: Ends) =>
    ipv6(ends, toAll, 58, icmp6(toAll, 137, redirectBody(one.linkLocal, 'fd00:99::1'))),
  'DHCP offer': (ends: Ends) => ipv4(ends, { from: one.v4, to: '255.255.255.255' }, 17, udp(67, 68)),
  'DHCPv6 advertise': (ends: Ends) => ipv6(ends, own6, 17, udp(547, 546)),
  'IPv4 from another': (ends: Ends) => ipv4(ends, { from: victim.v4, to: two.v4 }, 17, udp(9, 9)),
  'IPv4 from a stranger': (ends: Ends) => ipv4(ends, { from: '10.9.0.99', to: two.v4 }, 17, udp(9, 9)),
  'IPv4 from itself': (ends: Ends) => ipv4(ends, { from: one.v4, to: two.v4 }, 17, udp(9, 9)),
} as const;

type Arrived = Readonly<Record<string, string[]>>;

/** Where each of the frames arrives that c11 sends from a MAC address: on the LAN, at its sibling c12. */
async function arrivals(bed: Bed, [from, to]: readonly [Place, Place], mac: string): Promise<Arrived> {
  const [lan, sibling] = [await startListener(bed.lan), await startListener(to)];
  const sender = await startSender(from);
  const mark = marker();
  const arrived: Record<string, string[]> = {};
  for (const [what, frame] of Object.entries(FRAMES)) {
    const send = (to: string) => mark(frame({ from: mac, to }));
    const behind = (to: string) => mark(FRAMES['IPv4 from itself']({ from: one.mac, to }));
    arrived[what] = [
      ...(await heardBy(sender, send(LAN.mac), behind(LAN.mac), { lan })),
      ...(await heardBy(sender, send(two.mac), behind(two.mac), { sibling })),
    ];
  }
  for (const each of [sender, lan, sibling]) await each.stop();
  return arrived;
}

function onBed(
  name: string,
  body: (t: Test, bed: Bed, nf: NetlinkSocket, both: readonly [Place, Place]) => Promise<void>,
): void {
  t.test(name, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const bed = await makeLan(host);
      const both = [await moor(host, 11), await moor(host, 12)] as const;
      await netfilterIn(host, host, (nf) => {
        for (const id of [12, 13]) guardPort(nf, port(bed, id), none);
        return body(t, bed, nf, both);
      });
    });
  });
}

const EVERYWHERE = ['lan', 'sibling'];
const NOTHING = {
  'router advertisement': [],
  redirect: [],
  'DHCP offer': [],
  'DHCPv6 advertise': [],
  'IPv4 from another': [],
  'IPv4 from a stranger': [],
  'IPv4 from itself': EVERYWHERE,
};

const ALLOWED: Readonly<Record<string, readonly [Partial<MooredPort>, Partial<typeof NOTHING> | object]>> = {
  nothing: [{}, {}],
  routing: [
    { allow: { routerAdvertisements: true, dhcpServer: false } },
    { 'router advertisement': EVERYWHERE, redirect: EVERYWHERE },
  ],
  'a DHCP server': [
    { allow: { routerAdvertisements: false, dhcpServer: true } },
    { 'DHCP offer': EVERYWHERE, 'DHCPv6 advertise': EVERYWHERE },
  ],
  'any address': [
    { spoofCheck: false },
    { 'IPv4 from another': EVERYWHERE, 'IPv4 from a stranger': EVERYWHERE },
  ],
};

for (const [what, [more, passes]] of Object.entries(ALLOWED)) {
  onBed(`allowed: ${what}`, async (t, bed, nf, both) => {
    guardPort(nf, port(bed, 11, more), none);
    t.strictSame(await arrivals(bed, both, one.mac), { ...NOTHING, ...passes }, 'by the host');
    await netfilterIn(bed.host, both[0], (inside) => guardInside(inside, port(bed, 11, more)));
    t.strictSame(await arrivals(bed, both, one.mac), { ...NOTHING, ...passes }, 'by the guard inside too');
  });
}

onBed('strict: only known MAC addresses', async (t, bed, nf, both) => {
  const { host } = bed;
  guardPort(nf, port(bed, 11, { strict: { known: [MASTER_MAC] } }), none);
  // To siblings it could be a machine of the LAN, but for the addresses.
  const unknown = { ...NOTHING, 'IPv4 from a stranger': ['sibling'], 'IPv4 from itself': [] };
  t.strictSame(await arrivals(bed, both, UNKNOWN), unknown);
  await host.shell('ip neigh flush dev lan0; ip -n lan neigh flush dev eth0');
  for (const to of [LAN.v4, LAN.v6]) await host.must(['ping', '-c1', '-W2', to]);

  await host.shell(`
    ip link add link lan0 name shim address ${SHIM} type macvlan mode bridge
    ip link set shim up
    ip address add 10.9.0.3/32 dev shim
    ip route add ${one.v4}/32 dev shim src 10.9.0.3`);
  admitHost(nf, bed.master, SHIM, none);
  await host.must(['ping', '-c1', '-W2', one.v4]);
  const admitted = { 'IPv4 from another': EVERYWHERE, 'IPv4 from a stranger': EVERYWHERE };
  const roles = ['router advertisement', 'redirect', 'DHCP offer', 'DHCPv6 advertise'];
  const toSiblings = Object.fromEntries(roles.map((role) => [role, ['sibling']]));
  t.strictSame(await arrivals(bed, both, SHIM), { ...NOTHING, ...admitted, ...toSiblings }, 'admitted');
  dismissHost(nf, bed.master, SHIM);
  t.strictSame(await arrivals(bed, both, SHIM), unknown, 'dismissed');
});

onBed("a macvlan of the host's own, where nothing is strict", async (t, bed, nf, [c11]) => {
  const { host } = bed;
  guardPort(nf, port(bed, 11), none);
  await host.shell(`
    ip link add link lan0 name shim address ${SHIM} type macvlan mode bridge
    ip link set shim up
    ip address add 10.9.0.3/32 dev shim
    ip route add ${one.v4}/32 dev shim src 10.9.0.3`);
  await host.must(['ping', '-c1', '-W2', '-s', '4000', one.v4]);
  await c11.must(['ip', 'neigh', 'flush', 'dev', 'eth0']);
  await c11.must(['ping', '-c1', '-W2', '10.9.0.3']);
  t.pass('needs no admission');
});
