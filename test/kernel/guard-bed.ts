/**
 * What the tests of the guard share: a host whose master, lan0, leads to a LAN with one machine on it, and containers
 * on macvlans of the master.
 */
import { parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { Master, MooredPort } from '../../lib/nftables/guard/guard.ts';
import { closeNetns, inNetns, openNetns } from '../../lib/system/netns.ts';
import type { Host, Place } from './harness.ts';

export const LAN = { mac: '02:00:5e:00:01:01', v4: '10.9.0.1', v6: 'fd00:9::1' } as const;
export const MASTER_MAC = '02:00:5e:00:01:02';

export interface Bed {
  readonly host: Host;
  readonly lan: Place;
  readonly master: Master;
}

/** The machine on the LAN is 10.9.0.1, the host 10.9.0.2. */
export async function makeLan(host: Host): Promise<Bed> {
  const lan = await host.container('lan');
  await host.shell(`
    ip link add lan0 address ${MASTER_MAC} type veth peer name eth0 address ${LAN.mac} netns lan
    echo 0 > /proc/sys/net/ipv6/conf/lan0/accept_dad
    ip netns exec lan sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
    ip link set lan0 up
    ip -n lan link set eth0 up
    ip address add 10.9.0.2/24 dev lan0
    ip address add fd00:9::2/64 dev lan0 nodad
    ip -n lan address add ${LAN.v4}/24 dev eth0
    ip -n lan address add ${LAN.v6}/64 dev eth0 nodad`);
  const [link] = await host.ip('link', 'show', 'lan0');
  return { host, lan, master: { name: 'lan0', index: Number(link?.['ifindex']) } };
}

/** What number `id` has: 10.9.0.ID, fd00:9::ID, and by its MAC address an identifier (RFC 4291 appendix A). */
export function identity(id: number) {
  const last = id.toString(16).padStart(2, '0');
  return {
    mac: `02:00:5e:00:02:${last}`,
    v4: `10.9.0.${id}`,
    v6: `fd00:9::${id}`,
    eui64: `5eff:fe00:2${last}`,
    linkLocal: `fe80::5eff:fe00:2${last}`,
  };
}

/** A container with a macvlan of the master's. */
export async function moor(host: Host, id: number): Promise<Place> {
  const { mac, v4, v6 } = identity(id);
  const name = `c${id}`;
  const container = await host.container(name);
  await host.shell(`
    ip link add link lan0 name eth0 address ${mac} netns ${name} type macvlan mode bridge
    ip netns exec ${name} sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
    ip -n ${name} link set eth0 up
    ip -n ${name} address add ${v4}/24 dev eth0
    ip -n ${name} address add ${v6}/64 dev eth0 nodad`);
  return container;
}

export function port({ master }: Bed, id: number, more: Partial<MooredPort> = {}): MooredPort {
  const { mac, v4, v6, eui64, linkLocal } = identity(id);
  return {
    owner: { network: 'lan', containerId: `c${id}`, ifname: 'eth0' },
    master,
    mac,
    addresses: [v4, v6, linkLocal].map(parseAddress),
    held: [v4, v6].map(parseAddress),
    identifiers: [parseAddress(`::${eui64}`).value],
    roams: false,
    prefixes: [parsePrefix('fd00:9::/64')],
    spoofCheck: true,
    allow: { routerAdvertisements: false, dhcpServer: false },
    ...more,
  };
}

/** A netfilter socket of a place's, closed after `body`. */
export async function netfilterIn<T>(
  host: Host,
  place: Place,
  body: (nf: NetlinkSocket) => Promise<T> | T,
): Promise<T> {
  const netns = openNetns(host.path(place.netnsPath));
  const nf = inNetns(netns, () => NetlinkSocket.open('netfilter'));
  closeNetns(netns);
  try {
    return await body(nf);
  } finally {
    nf.close();
  }
}
