/** What the nftables tests share: a private host with a bridge and containers on it, and a netfilter socket in it. */
import { parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { AttachmentRules, NetworkRules, PortForward, Protocol } from '../../lib/nftables/table.ts';
import { closeNetns, inNetns, openNetns } from '../../lib/system/netns.ts';
import type { Host, Place } from './harness.ts';

/** Runs `fn`, which is synchronous, in the host's network. */
export function inside<T>(host: Host, fn: () => T): T {
  const netns = openNetns(host.path('/proc/1/ns/net'));
  try {
    return inNetns(netns, fn);
  } finally {
    closeNetns(netns);
  }
}

/** A netfilter socket of the host's, closed after `body`. */
export async function withNetfilter<T>(host: Host, body: (nf: NetlinkSocket) => Promise<T>): Promise<T> {
  const nf = inside(host, () => NetlinkSocket.open('netfilter'));
  try {
    return await body(nf);
  } finally {
    nf.close();
  }
}

/** Network `number` of the bed: its bridge is nm0, its subnets 10.89.0.0/24 and fd00:89::/64. */
export function network(number = 0, ingressPolicy: NetworkRules['ingressPolicy'] = 'open'): NetworkRules {
  const subnets = [`10.89.${number}.0/24`, `fd00:89:0:${number}::/64`].map(parsePrefix);
  return { network: number === 0 ? 'web' : `web${number}`, bridge: `nm${number}`, subnets, ingressPolicy };
}

/** "tcp 8080 -> 10.89.0.2 80", or with a host address "udp 203.0.113.2 53 -> …", or with a count "udp 5000+3 -> …". */
export function forward(text: string): PortForward {
  const [from = '', to = ''] = text.split(' -> ');
  const [protocol, ...host] = from.split(' ');
  const [hostPort = '', count = '1'] = (host.pop() ?? '').split('+');
  const [container = '', containerPort = ''] = to.split(' ');
  return {
    protocol: protocol as Protocol,
    ...(host[0] && { hostIp: parseAddress(host[0]) }),
    hostPort: Number(hostPort),
    count: Number(count),
    container: parseAddress(container),
    containerPort: Number(containerPort),
  };
}

export interface Wanted {
  readonly rules?: NetworkRules;
  readonly addresses?: readonly string[];
  readonly forwards?: readonly string[];
  readonly macSpoofCheck?: { hostIfname: string; mac: string };
}

export function attachment(containerId: string, wanted: Wanted = {}): AttachmentRules {
  const rules = wanted.rules ?? network();
  return {
    owner: { network: rules.network, containerId, ifname: 'eth0' },
    rules,
    masquerade: (wanted.addresses ?? []).map(parseAddress),
    forwards: (wanted.forwards ?? []).map(forward),
    ...(wanted.macSpoofCheck && { macSpoofCheck: wanted.macSpoofCheck }),
  };
}

export const none = (): AttachmentRules[] => [];

/**
 * Makes the bridge of network `number`, with its gateway addresses, and the host a router that publishes on 127.0.0.1.
 */
export async function makeBridge(host: Host, number = 0): Promise<void> {
  const bridge = `nm${number}`;
  await host.shell(`
    ip link add ${bridge} address 02:00:5e:00:59:0${number} type bridge
    echo 0 > /proc/sys/net/ipv6/conf/${bridge}/accept_dad
    ip link set ${bridge} up
    ip address add 10.89.${number}.1/24 dev ${bridge}
    ip address add fd00:89:0:${number}::1/64 dev ${bridge} nodad
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    echo 1 > /proc/sys/net/ipv4/conf/${bridge}/route_localnet`);
}

/**
 * A container on network `number` with the host part `id`: 10.89.0.ID and fd00:89::ID; its link's other end is nmcID.
 */
export async function moor(host: Host, id: number, number = 0): Promise<Place> {
  const name = `c${number}${id}`;
  const container = await host.container(name);
  await host.shell(`
    ip link add nm${name} type veth peer name eth0 netns ${name}
    ip link set nm${name} master nm${number} up
    ip netns exec ${name} sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
    ip -n ${name} link set eth0 up
    ip -n ${name} address add 10.89.${number}.${id}/24 dev eth0
    ip -n ${name} address add fd00:89:0:${number}::${id}/64 dev eth0 nodad
    ip -n ${name} route add default via 10.89.${number}.1
    ip -n ${name} -6 route add default via fd00:89:0:${number}::1`);
  return container;
}
