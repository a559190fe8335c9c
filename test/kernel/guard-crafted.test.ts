/**
 * Frames that a container must not send, made byte by byte: which of them arrive on the LAN, and at a sibling, when the
 * container sends them from its own MAC address, from one that nobody has, and from its neighbour's.
 */
import t from 'tap';
import { guardPort } from '../../lib/nftables/guard/guard.ts';
import { guardInside } from '../../lib/nftables/guard/inside.ts';
import { LAN, identity, makeLan, moor, netfilterIn, port } from './guard-bed.ts';
import {
  DESTINATION,
  FIRST_FRAGMENT,
  HOP_BY_HOP,
  LONG_DESTINATION,
  RA_BODY,
  arp,
  bpdu,
  icmp6,
  ipv4,
  ipv6,
  naBody,
  redirectBody,
  tagged,
  udp,
} from './guard-frames.ts';
import type { Ends, Extension } from './guard-frames.ts';
import { heardBy, marker, startListener, startSender } from './guard-wire.ts';
import { lacking, withHost } from './harness.ts';

const skip = lacking('perl', 'taskset') ?? false;

const [rogue, sibling, victim] = [identity(11), identity(12), identity(13)];
const NOBODY = '02:00:5e:00:66:66';
const ALL_NODES = 'ff02::1';
const GROUP = '33:33:00:00:00:01';

interface Crafted {
  readonly frame: (ends: Ends) => Buffer;
  /** The protocol it is sent as, when that is not its own. */
  readonly sentAs?: number;
  /** How it arrives where the host's guard alone stands; see ARRIVALS. */
  readonly by: keyof typeof ARRIVALS;
}

type Route = 'lan' | 'group' | 'sibling';

/**
 * Who hears a frame from each MAC address. `group` is what a sibling hears of multicast, which no hook of the host's
 * sees; `sibling` is unicast.
 */
const ARRIVALS = {
  /** Passes only where nobody knows the sender, or it is said to come from whose addresses it bears. */
  'packet from another': {
    own: ['group'],
    unknown: ['group', 'sibling'],
    victim: ['lan', 'group', 'sibling'],
  },
  'neighbour discovery for another': {
    own: ['group'],
    unknown: ['group'],
    victim: ['lan', 'group', 'sibling'],
  },
  role: { own: ['group'], unknown: ['group', 'sibling'], victim: ['group'] },
  /** Its source is an address that its own MAC address holds. */
  'stranger, from an own address': {
    own: ['group'],
    unknown: ['group', 'sibling'],
    victim: ['group'],
  },
  /** What it was sent as is forgotten on the way to a sibling. */
  'ARP that lies': { own: ['group'], unknown: ['group'], victim: ['group', 'sibling'] },
  /** Macvlans do not belong to that group. */
  'for bridges': { own: [], unknown: ['lan'], victim: [] },
  'not IP': { own: ['group'], unknown: ['lan', 'group', 'sibling'], victim: ['group'] },
  'address of a stranger': { own: ['group'], unknown: ['lan', 'group', 'sibling'], victim: ['group'] },
} as const satisfies Record<string, Record<string, readonly Route[]>>;

const RA_ENDS = { from: rogue.linkLocal, to: ALL_NODES };
const advertisement =
  (extensions: readonly Extension[] = []) =>
  (ends: Ends) =>
    ipv6(ends, RA_ENDS, 58, icmp6(RA_ENDS, 134, RA_BODY), extensions);
const claim = { from: victim.v6, to: ALL_NODES };
const own6 = { from: rogue.v6, to: ALL_NODES };
const offer = (from: number) => (ends: Ends) =>
  ipv4(ends, { from: rogue.v4, to: '255.255.255.255' }, 17, udp(from, 68));
const advertise = (from: number, to: number) => (ends: Ends) => ipv6(ends, own6, 17, udp(from, to), []);

const CRAFTED: Readonly<Record<string, Crafted>> = {
  'IPv4 from another': {
    frame: (ends) => ipv4(ends, { from: victim.v4, to: '224.0.0.1' }, 17, udp(9, 9)),
    by: 'packet from another',
  },
  'IPv6 from another': {
    frame: (ends) => ipv6(ends, claim, 17, udp(9, 9)),
    by: 'packet from another',
  },
  'ARP reply for another': {
    frame: (ends) => arp(ends, 'reply', victim.v4, LAN.v4),
    by: 'neighbour discovery for another',
  },
  'gratuitous ARP for another': {
    frame: (ends) => arp(ends, 'request', victim.v4, victim.v4),
    by: 'neighbour discovery for another',
  },
  'ARP request from another': {
    frame: (ends) => arp(ends, 'request', victim.v4, LAN.v4),
    by: 'neighbour discovery for another',
  },
  'neighbour advertisement from another': {
    frame: (ends) => ipv6(ends, claim, 58, icmp6(claim, 136, naBody(victim.v6, ends.from))),
    by: 'neighbour discovery for another',
  },
  'neighbour advertisement for a stranger, from its own address': {
    frame: (ends) => ipv6(ends, own6, 58, icmp6(own6, 136, naBody('fd00:9::99', ends.from))),
    by: 'stranger, from an own address',
  },
  'IPv4 from a stranger': {
    frame: (ends) => ipv4(ends, { from: '10.9.0.99', to: '224.0.0.1' }, 17, udp(9, 9)),
    by: 'address of a stranger',
  },
  'ARP for a stranger': {
    frame: (ends) => arp(ends, 'reply', '10.9.0.99', LAN.v4),
    by: 'address of a stranger',
  },
  'router advertisement': { frame: advertisement(), by: 'role' },
  'router advertisement behind hop-by-hop options': { frame: advertisement([HOP_BY_HOP]), by: 'role' },
  'router advertisement behind destination options': { frame: advertisement([DESTINATION]), by: 'role' },
  'router advertisement behind both': { frame: advertisement([HOP_BY_HOP, DESTINATION]), by: 'role' },
  'fragmented router advertisement': { frame: advertisement([FIRST_FRAGMENT]), by: 'role' },
  'fragmented router advertisement behind options': {
    frame: advertisement([HOP_BY_HOP, FIRST_FRAGMENT, DESTINATION]),
    by: 'role',
  },
  'first fragment that does not reach its layer 4 header': {
    frame: advertisement([FIRST_FRAGMENT, LONG_DESTINATION]),
    by: 'role',
  },
  'first fragment that does not reach into its options': {
    frame: advertisement([FIRST_FRAGMENT, LONG_DESTINATION, DESTINATION]),
    by: 'role',
  },
  redirect: {
    frame: (ends) =>
      ipv6(ends, RA_ENDS, 58, icmp6(RA_ENDS, 137, redirectBody(rogue.linkLocal, 'fd00:99::1'))),
    by: 'role',
  },
  'DHCP offer': { frame: offer(67), by: 'role' },
  'DHCP offer from an odd port': { frame: offer(4067), by: 'role' },
  'DHCP answer to a relay': {
    frame: (ends) => ipv4(ends, { from: rogue.v4, to: '224.0.0.1' }, 17, udp(67, 67)),
    by: 'role',
  },
  'DHCPv6 advertise': { frame: advertise(547, 546), by: 'role' },
  'DHCPv6 advertise from an odd port': { frame: advertise(4547, 546), by: 'role' },
  'DHCPv6 answer to a relay': { frame: advertise(547, 547), by: 'role' },
  'DHCPv6 advertise behind options': {
    frame: (ends) => ipv6(ends, own6, 17, udp(547, 546), [DESTINATION]),
    by: 'role',
  },
  'router advertisement sent as something else': { frame: advertisement(), sentAs: 0x88b5, by: 'role' },
  'DHCP offer sent as something else': { frame: offer(67), sentAs: 0x88b5, by: 'role' },
  'ARP for another sent as IPv6': {
    frame: (ends) => arp(ends, 'reply', victim.v4, LAN.v4),
    sentAs: 0x86dd,
    by: 'ARP that lies',
  },
  'router advertisement behind a tag of no VLAN': {
    frame: (ends) => tagged(advertisement()(ends), 0),
    by: 'role',
  },
  'tagged frame': { frame: (ends) => tagged(offer(9)(ends), 5), by: 'not IP' },
  'spanning tree': { frame: bpdu, by: 'for bridges' },
  'an Ethernet type of no use': {
    frame: (ends) =>
      Buffer.concat([ipv4(ends, { from: rogue.v4, to: rogue.v4 }, 17, udp(9, 9))]).fill(0x88, 12, 14),
    by: 'not IP',
  },
};

const SENDERS = { own: rogue.mac, unknown: NOBODY, victim: victim.mac } as const;
const NAMES = Object.keys(SENDERS) as (keyof typeof SENDERS)[];

const EVERYWHERE: readonly Route[] = ['lan', 'group', 'sibling'];

function expected(guards: 'none' | 'host' | 'both', by: keyof typeof ARRIVALS, from: keyof typeof SENDERS) {
  if (guards === 'both') return [];
  if (guards === 'host') return ARRIVALS[by][from];
  return by === 'for bridges' ? ['lan'] : EVERYWHERE;
}

for (const guards of ['none', 'host', 'both'] as const) {
  t.test(`guards: ${guards}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const bed = await makeLan(host);
      const [from, to] = [await moor(host, 11), await moor(host, 12)];
      await moor(host, 13);
      if (guards !== 'none')
        await netfilterIn(host, host, (nf) => {
          for (const id of [11, 12, 13]) guardPort(nf, port(bed, id), () => []);
        });
      if (guards === 'both') await netfilterIn(host, from, (nf) => guardInside(nf, port(bed, 11)));
      const listeners = { lan: await startListener(bed.lan), sibling: await startListener(to) };
      const mark = marker();
      const sentinel = (to: string) =>
        mark(ipv4({ from: rogue.mac, to }, { from: rogue.v4, to: sibling.v4 }, 17, udp(9, 9)));

      for (const bypass of [false, true]) {
        const sender = await startSender(from, { bypass });
        for (const [what, { frame, sentAs, by }] of Object.entries(CRAFTED)) {
          for (const name of NAMES) {
            const mac = SENDERS[name];
            const group = mark(frame({ from: mac, to: GROUP }), sentAs);
            const heard = await heardBy(sender, group, sentinel(GROUP), listeners);
            const single = mark(frame({ from: mac, to: sibling.mac }), sentAs);
            const alone = await heardBy(sender, single, sentinel(sibling.mac), {
              sibling: listeners.sibling,
            });
            const routes = [...heard.map((each) => (each === 'sibling' ? 'group' : each)), ...alone];
            const about = `${what}, from the MAC address: ${name}${bypass ? ', past the queues' : ''}`;
            // Of groups that nobody has joined macvlan knows a hash of eight bits: now and then one is let through.
            const lucky = guards !== 'both' && by === 'for bridges';
            const certain = lucky ? routes.filter((route) => route === 'lan') : routes;
            t.strictSame(certain, expected(guards, by, name), about);
          }
        }
      }
    });
  });
}
