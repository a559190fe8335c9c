/**
 * Frames that a container makes by hand, byte by byte: which of them its neighbour on the bridge hears; by default, and
 * with spoofchk.
 */
import t from 'tap';
import {
  DESTINATION,
  FIRST_FRAGMENT,
  HOP_BY_HOP,
  RA_BODY,
  arp,
  bpdu,
  icmp6,
  ipv4,
  ipv6,
  naBody,
  nsBody,
  redirectBody,
  tagged,
  udp,
} from './guard-frames.ts';
import type { Ends, Extension } from './guard-frames.ts';
import { heardBy, marker, startListener, startSender, withoutBrNetfilter } from './guard-wire.ts';
import { addChainMust } from './harness-chain.ts';
import { lacking, withHost } from './harness.ts';
import type { Place } from './harness.ts';
import { Network } from './moorings.ts';

const skip = lacking('perl', 'taskset') ?? false;
const ipam = { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] };

const MAC = '02:00:5e:00:53:11';
const OTHER_MAC = '02:00:5e:00:53:12';
const [IP4, OTHER4, GATEWAY4] = ['10.77.0.11', '10.77.0.12', '10.77.0.1'];
const [IP6, OTHER6, GATEWAY6] = ['fd00:77::11', 'fd00:77::12', 'fd00:77::1'];
const LINK_LOCAL = 'fe80::5eff:fe00:5311';
const OTHER_LINK_LOCAL = 'fe80::5eff:fe00:5312';
const GROUP: Ends = { from: MAC, to: '33:33:00:00:00:01' };
const BROADCAST: Ends = { from: MAC, to: 'ff:ff:ff:ff:ff:ff' };
const DIRECT: Ends = { from: MAC, to: OTHER_MAC };
const nodes = (from: string): Ends => ({ from, to: 'ff02::1' });
const data = udp(1000, 1000);

function nd(from: string, type: number, body: Buffer, extensions: readonly Extension[] = []): Buffer {
  return ipv6(GROUP, nodes(from), 58, icmp6(nodes(from), type, body), extensions);
}

/** [default, spoofchk]: whether the neighbour hears it. */
const FRAMES: Readonly<Record<string, readonly [Buffer, boolean, boolean]>> = {
  'IPv4, its own': [ipv4(DIRECT, { from: IP4, to: OTHER4 }, 17, data), true, true],
  "IPv4, its neighbour's": [ipv4(DIRECT, { from: OTHER4, to: IP4 }, 17, data), true, false],
  "IPv4, nobody's": [ipv4(BROADCAST, { from: '192.0.2.1', to: '255.255.255.255' }, 17, data), true, false],
  'IPv4, a DHCP client': [
    ipv4(BROADCAST, { from: '0.0.0.0', to: '255.255.255.255' }, 17, udp(68, 67)),
    true,
    true,
  ],
  'IPv4, no address': [ipv4(BROADCAST, { from: '0.0.0.0', to: '255.255.255.255' }, 17, data), true, false],
  'IPv4 in a VLAN': [tagged(ipv4(DIRECT, { from: OTHER4, to: IP4 }, 17, data), 5), true, false],
  'a DHCP server': [ipv4(DIRECT, { from: IP4, to: OTHER4 }, 17, udp(67, 68)), false, false],
  'a DHCP server at another port': [ipv4(DIRECT, { from: IP4, to: OTHER4 }, 17, udp(6767, 68)), false, false],
  'ARP, its own': [arp(BROADCAST, 'request', IP4, OTHER4), true, true],
  'ARP, a probe': [arp(BROADCAST, 'request', '0.0.0.0', IP4), true, true],
  "ARP, its neighbour's": [arp(BROADCAST, 'reply', OTHER4, OTHER4), true, false],
  "ARP, the gateway's": [arp(DIRECT, 'reply', GATEWAY4, OTHER4), true, false],
  'IPv6, its own': [ipv6(DIRECT, { from: IP6, to: OTHER6 }, 17, data), true, true],
  'IPv6, its link-local one': [ipv6(DIRECT, { from: LINK_LOCAL, to: OTHER6 }, 17, data), true, true],
  "IPv6, its neighbour's": [ipv6(DIRECT, { from: OTHER6, to: IP6 }, 17, data), true, false],
  "IPv6, its neighbour's link-local one": [
    ipv6(DIRECT, { from: OTHER_LINK_LOCAL, to: IP6 }, 17, data),
    true,
    false,
  ],
  'IPv6 behind options': [
    ipv6(DIRECT, { from: OTHER6, to: IP6 }, 17, data, [HOP_BY_HOP, DESTINATION]),
    true,
    false,
  ],
  'duplicate address detection': [nd('::', 135, nsBody(IP6)), true, true],
  'neighbour advertisement, its own': [nd(IP6, 136, naBody(IP6, MAC)), true, true],
  "neighbour advertisement, the gateway's": [nd(IP6, 136, naBody(GATEWAY6, MAC)), true, false],
  "neighbour advertisement, its neighbour's": [nd(LINK_LOCAL, 136, naBody(OTHER6, MAC)), true, false],
  'the same behind options': [nd(LINK_LOCAL, 136, naBody(OTHER6, MAC), [DESTINATION]), true, false],
  'a router advertisement': [nd(LINK_LOCAL, 134, RA_BODY), false, false],
  'the same behind options ': [nd(LINK_LOCAL, 134, RA_BODY, [HOP_BY_HOP]), false, false],
  'a first fragment of one': [nd(LINK_LOCAL, 134, RA_BODY, [FIRST_FRAGMENT]), false, false],
  'a router advertisement in a VLAN': [tagged(nd(LINK_LOCAL, 134, RA_BODY), 5), false, false],
  'the same in two tags of VLAN 0': [tagged(tagged(nd(LINK_LOCAL, 134, RA_BODY), 0), 0), false, false],
  'a DHCP server in two tags': [
    tagged(tagged(ipv4(DIRECT, { from: IP4, to: OTHER4 }, 17, udp(67, 68)), 0), 5),
    false,
    false,
  ],
  'a redirect': [nd(LINK_LOCAL, 137, redirectBody(IP6, GATEWAY6)), false, false],
  'a DHCPv6 server': [
    ipv6(DIRECT, { from: LINK_LOCAL, to: OTHER_LINK_LOCAL }, 17, udp(547, 546)),
    false,
    false,
  ],
  "its neighbour's MAC address": [
    ipv4({ ...BROADCAST, from: OTHER_MAC }, { from: IP4, to: OTHER4 }, 17, data),
    true,
    false,
  ],
  'neither IP nor ARP': [bpdu({ from: MAC }), true, false],
};

for (const [at, config] of [{}, { spoofchk: true }].entries())
  t.test(`what a neighbour hears${at === 0 ? '' : ', with spoofchk'}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await withoutBrNetfilter(host);
      const network = new Network(host, { ipam, ...config });
      const rogue = await network.container('c1', { mac: MAC, ips: [`${IP4}/24`, `${IP6}/64`] });
      const neighbour = await network.container('c2', {
        mac: OTHER_MAC,
        ips: [`${OTHER4}/24`, `${OTHER6}/64`],
      });
      const sender = await startSender(rogue.place);
      const listeners = { neighbour: await startListener(neighbour.place) };
      const mark = marker();
      const sentinel = ipv4(BROADCAST, { from: IP4, to: '255.255.255.255' }, 17, data);
      // Learned here, both know the way, and nothing is flooded that should not be.
      t.equal(
        (await neighbour.place.run(['ping', '-c1', '-W2', IP4])).code,
        0,
        'the neighbours know each other',
      );
      t.equal((await rogue.place.run(['ping', '-6', '-c1', '-W2', OTHER6])).code, 0, 'in both families');
      for (const [name, [frame, ...heard]] of Object.entries(FRAMES)) {
        const ears = await heardBy(sender, mark(frame), mark(sentinel), listeners);
        t.equal(ears.length > 0, heard[at], name);
      }
      t.equal(
        await network.check('c1', rogue.result, { mac: MAC, ips: [`${IP4}/24`, `${IP6}/64`] }),
        undefined,
      );
    });
  });

t.test('containers that may serve', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await withoutBrNetfilter(host);
    const network = new Network(host, { ipam, allowServers: true });
    const router = await network.container('c1', { mac: MAC });
    const neighbour = await network.container('c2', { mac: OTHER_MAC });
    const sender = await startSender(router.place);
    const listeners = { neighbour: await startListener(neighbour.place) };
    const mark = marker();
    const sentinel = ipv4(BROADCAST, { from: IP4, to: '255.255.255.255' }, 17, data);
    for (const name of ['a router advertisement', 'a DHCP server', 'a DHCPv6 server']) {
      const [frame] = FRAMES[name] ?? [];
      if (frame === undefined) throw new Error(name);
      t.same(await heardBy(sender, mark(frame), mark(sentinel), listeners), ['neighbour'], name);
    }
  });
});

const REFERENCE = {
  ...{ type: 'bridge', bridge: 'ref', isGateway: true, capabilities: { mac: true, ips: true } },
  ipam: { type: 'host-local', ...ipam },
};

for (const macspoofchk of [false, true])
  t.test(
    `what a neighbour hears on the reference’s bridge${macspoofchk ? ', with macspoofchk' : ''}`,
    { skip: lacking('perl', 'taskset', 'iptables') ?? false },
    async (t) => {
      await withHost(t, async (host) => {
        await withoutBrNetfilter(host);
        const list = { cniVersion: '1.0.0', name: 'ref', plugins: [{ ...REFERENCE, macspoofchk }] };
        const attach = async (name: string, mac: string, ips: readonly string[]): Promise<Place> => {
          const place = await host.container(name);
          const call = { containerId: name, ifname: 'eth0', netns: place.netnsPath };
          await addChainMust(host, list, { ...call, runtimeConfig: { mac, ips } });
          return place;
        };
        const rogue = await attach('c1', MAC, [`${IP4}/24`, `${IP6}/64`]);
        const neighbour = await attach('c2', OTHER_MAC, [`${OTHER4}/24`, `${OTHER6}/64`]);
        const sender = await startSender(rogue);
        const listeners = { neighbour: await startListener(neighbour) };
        const mark = marker();
        const sentinel = ipv4(BROADCAST, { from: IP4, to: '255.255.255.255' }, 17, data);
        t.equal((await neighbour.run(['ping', '-c1', '-W2', IP4])).code, 0, 'the neighbours know each other');
        const unheard: string[] = [];
        for (const [name, [frame]] of Object.entries(FRAMES))
          if ((await heardBy(sender, mark(frame), mark(sentinel), listeners)).length === 0)
            unheard.push(name);
        t.same(unheard, macspoofchk ? ["its neighbour's MAC address"] : [], 'what it does not hear');
      });
    },
  );
