/** A host with a VPN beside its uplink, and a meter of what leaves by the uplink that is not the VPN's own. */
import { ask, serve, until, world } from './harness.ts';
import type { Host, Place } from './harness.ts';
import type { Background } from './harness-process.ts';
import { DUAL_STACK, Network } from './moorings.ts';

export const VPN = { host4: '10.8.0.2', far4: '10.8.0.1', host6: 'fd00:8::2', far6: 'fd00:8::1' } as const;
const PORT = 1194;
const KEY = '/run/vpn.key';

/** Strict reverse path filtering, as many distributions have it, and routers on the uplink are heard. */
export const STRICT = {
  prepare: `echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter
echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter
echo 2 > /proc/sys/net/ipv6/conf/uplink/accept_ra`,
};

function openvpn(place: Place, device: string, ...args: string[]): Background {
  const quiet = [
    '--verb',
    '3',
    '--secret',
    KEY,
    '--cipher',
    'AES-256-CBC',
    '--proto',
    'udp4',
    '--dev',
    device,
  ];
  return place.start(['openvpn', ...quiet, ...args]);
}

/** The far end of the tunnel, in the world outside; it stays. */
export async function vpnServer(host: Host): Promise<void> {
  await host.must(['openvpn', '--genkey', 'secret', KEY]);
  const server = openvpn(
    host.outside,
    'tun9',
    ...['--port', String(PORT), '--ifconfig', VPN.far4, VPN.host4],
    ...['--ifconfig-ipv6', `${VPN.far6}/64`, VPN.host6],
  );
  await server.until(() => /UDPv4 link remote/.test(server.output), 'VPN server');
}

/** The host's end: brings tun0 into being, which goes with it. */
export async function vpn(host: Host, families: '4' | 'both' = 'both'): Promise<Background> {
  const client = openvpn(
    host,
    'tun0',
    ...['--nobind', '--remote', world.router4, String(PORT), '--ifconfig', VPN.host4, VPN.far4],
    ...(families === 'both' ? ['--ifconfig-ipv6', `${VPN.host6}/64`, VPN.far6] : []),
    ...['--ping', '1'],
  );
  await client.until(() => /Initialization Sequence Completed/.test(client.output), 'VPN client', 10_000);
  return client;
}

/** A network whose way out is the tunnel, with nm-vpn for a bridge; there need be no tunnel yet. */
export function vpnNetwork(host: Host): Network {
  const dns = { nameservers: [VPN.far4] };
  return new Network(host, { ...DUAL_STACK, name: 'vpn', egress: { interface: 'tun0' }, dns });
}

/** A virtual machine that somebody has plugged into the bridge of that network. */
export interface Machine {
  readonly place: Place;
  /** Asks the resolver of the host, which it must not reach. */
  resolver(deadlineMs: number): Promise<unknown>;
  unplug(): Promise<void>;
}

/** The bridge is there. */
export async function plugMachine(host: Host): Promise<Machine> {
  const place = await host.container('vm');
  await host.shell(`ip link add tap7 type veth peer name eth0 netns vm; ip link set tap7 master nm-vpn up
ip -n vm address add 10.77.0.50/24 dev eth0; ip -n vm link set eth0 up; ip -n vm route add default via 10.77.0.1`);
  await serve(host, 'udp', 53, { name: 'resolver' });
  return {
    place,
    resolver: async (deadlineMs) => ask(place, 'udp', '10.77.0.1', 53, { deadlineMs }),
    unplug: async () => void (await host.must(['ip', 'link', 'delete', 'tap7'])),
  };
}

const METER = `table netdev leakage {
  set seen { type ipv4_addr . ipv4_addr; flags dynamic; size 64; }
  set seen6 { type ipv6_addr . ipv6_addr; flags dynamic; size 64; }
  counter leaks { }
  chain wire {
    type filter hook ingress device wire priority 0; policy accept;
    ether type arp accept
    udp dport ${PORT} accept
    icmpv6 type { 130-136, 143 } accept
    counter name leaks
    add @seen { ip saddr . ip daddr }
    add @seen6 { ip6 saddr . ip6 daddr }
  }
}
`;

/** What has come by the wire since: packets; and whose. */
export class Meter {
  readonly #outside: Place;

  private constructor(outside: Place) {
    this.#outside = outside;
  }

  static async install({ outside }: Host): Promise<Meter> {
    await outside.must(['nft', '-f', '-'], { input: METER });
    return new Meter(outside);
  }

  /** "nothing", or the number of packets and who sent them to whom. */
  async read(): Promise<string> {
    const text = await this.#outside.must(['nft', 'list', 'table', 'netdev', 'leakage']);
    const packets = Number(/packets (\d+)/.exec(text)?.[1] ?? -1);
    const pairs = [...text.matchAll(/elements = \{([^}]*)\}/g)].map(([, inside = '']) => inside.trim());
    return packets === 0 ? 'nothing' : `${packets} packets: ${pairs.join('; ')}`;
  }

  async reset(): Promise<void> {
    await this.#outside.must(['nft', '-f', '-'], {
      input:
        'reset counters table netdev leakage\nflush set netdev leakage seen\nflush set netdev leakage seen6\n',
    });
  }
}

/** Sends by all protocols of both families to the world and to the host, without waiting for much. */
export async function tryEverything(place: Place, gateway4: string, gateway6: string): Promise<void> {
  const udp = (address: string, port: number): string =>
    `echo question | socat -u - UDP-SENDTO:${address}:${port} 2>/dev/null &`;
  const tcp = (address: string): string =>
    `timeout 0.2 socat -u OPEN:/dev/null TCP:${address}:7000,connect-timeout=0.2 2>/dev/null &`;
  const lines = [
    ...[world.internet4, world.router4, `[${world.internet6}]`, `[${world.router6}]`].flatMap((address) => [
      udp(address, 7000),
      udp(address, 53),
      tcp(address),
    ]),
    ...[world.host4, gateway4, `[${world.host6}]`, `[${gateway6}]`].map((address) => udp(address, 53)),
    ...[world.internet4, world.internet6, world.router4, world.router6].map(
      (address) => `timeout 0.2 ping -q -c 1 -W 1 ${address} >/dev/null 2>&1 &`,
    ),
  ];
  await place.shell(`${lines.join('\n')}\nwait || true\n`);
}

/** Waits until the container is answered from the far side of the VPN. */
export async function untilOut(place: Place, what: string): Promise<void> {
  const out = async () =>
    (await place.run(['ping', '-q', '-c', '1', '-W', '1', world.internet4])).code === 0 &&
    (await place.run(['ping', '-q', '-c', '1', '-W', '1', world.internet6])).code === 0;
  await until(out, what);
}
