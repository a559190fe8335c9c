/**
 * A LAN for DHCP: the private LAN of the kernel tests, a router on it for the servers, and what a host puts between a
 * LAN and its containers.
 *
 *   await withDhcpLan(t, async (lan) => {
 *     const server = await DhcpServer.start(lan.host, lan.router, kea4(SERVING4));
 *     const bridge = await lan.bridge();                  // for bridge-nat and the reference's bridge
 *     …                                                   // or lan.master for macvlan
 *   });
 */
import type { Background } from '../kernel/harness-process.ts';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { Host, Place, Reporter } from '../kernel/harness.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import type { Serving4, Serving6 } from './serving.ts';

export const skip =
  lacking(
    'dnsmasq',
    'kea-dhcp4',
    'kea-dhcp6',
    'dhcpd',
    'dhcrelay',
    'radvd',
    'dhcpcd',
    'busybox',
    'tcpdump',
  ) ?? false;

/** Everything that a result can show. */
export const SERVING4: Serving4 = {
  first: '192.0.2.100',
  last: '192.0.2.149',
  seconds: 3600,
  router: '192.0.2.1',
  dns: ['192.0.2.53', '198.51.100.53'],
  domain: 'lan.example',
  search: ['lan.example', 'a.long.name.example'],
  mtu: 1400,
  routes: [
    { dst: '10.0.0.0/8', gw: '192.0.2.2' },
    { dst: '172.16.0.0/12', gw: '192.0.2.3' },
    { dst: '0.0.0.0/0', gw: '192.0.2.1' },
  ],
};

export const SERVING6: Serving6 = {
  first: '2001:db8:50::100',
  last: '2001:db8:50::1ff',
  seconds: 3600,
  dns: ['2001:db8:50::53', '2001:db8:50::54'],
  search: ['lan.example', 'a.long.name.example'],
};

/** What Kea and dhcpd are to delegate. */
export const PREFIXES = { prefix: '2001:db8:8000::', length: 48, delegated: 56 };

/** Advertisements that send clients to DHCPv6 for addresses (M) and all else (O), and for all else alone. */
export const MANAGED =
  'AdvManagedFlag on; AdvOtherConfigFlag on; prefix 2001:db8:50::/64 { AdvAutonomous off; };';
export const STATELESS = 'AdvOtherConfigFlag on; prefix 2001:db8:50::/64 { AdvAutonomous on; };';

/** Beyond the relay. */
const DEEP = {
  router4: '10.53.0.2',
  server4: '10.53.0.1',
  router6: '2001:db8:53::2',
  server6: '2001:db8:53::1',
};
/** The server's own subnet there: `own` of Serving4. */
export const DEEP_SUBNET = '10.53.0.0/30';
/** The server's own address there: `own` of Serving6. */
export const DEEP_ADDRESS6 = DEEP.server6;

export class DhcpLan {
  readonly host: Host;
  readonly lan: Lan;
  /** On the LAN as 192.0.2.1, 2001:db8:50::1 and fe80::1, with `eth0`. */
  readonly router: Place;
  /** The host's interface on the LAN, until it becomes the port of a bridge. */
  readonly master = lanWorld.master;
  readonly #advertise: (body: string) => Promise<void>;

  private constructor(lan: Lan, router: Place, advertise: (body: string) => Promise<void>) {
    this.host = lan.host;
    this.lan = lan;
    this.router = router;
    this.#advertise = advertise;
  }

  static async open(host: Host): Promise<DhcpLan> {
    const lan = await Lan.open(host);
    const router = await lan.router();
    return new DhcpLan(lan, router.place, (body) => router.radvd(body));
  }

  /** radvd(8) on the router: MANAGED, STATELESS or another body. */
  async advertise(body: string): Promise<void> {
    await this.#advertise(body);
  }

  /** A bridge on the host whose port is the LAN, as an administrator makes it; it has no address. */
  async bridge(name = 'br-lan'): Promise<string> {
    await this.host.shell(`ip link add ${name} type bridge forward_delay 0 mcast_snooping 0
      ip link set ${this.master} master ${name}
      ip link set ${name} up`);
    const forwards = async () => {
      const [port] = JSON.parse(await this.host.must(['bridge', '-j', 'link', 'show', 'dev', this.master]));
      return port?.state === 'forwarding';
    };
    await until(forwards, `${this.master} forwards`);
    return name;
  }

  /** Somebody on the LAN with `eth0` and no address but the link-local one: a client, or with addresses a server. */
  async station(name: string, addresses: readonly string[] = []): Promise<Place> {
    return (await this.lan.station(name, { addresses })).place;
  }

  /**
   * A place for a server (`eth0`, 10.53.0.1) that is not on the LAN: the router relays to it, dhcrelay(8) for both
   * families. A server there is told so by `own`: DEEP_SUBNET, DEEP_ADDRESS6.
   */
  async relayed(): Promise<{ server: Place; relays: readonly Background[] }> {
    const path = '/run/harness/lan/deep';
    await this.host.shell(`: > ${path}; unshare --net=${path} true`);
    const server = this.host.at(path, 'deep');
    await this.router.shell(`ip link add deep type veth peer name eth0 netns ${path}
      echo 0 > /proc/sys/net/ipv6/conf/deep/accept_dad
      echo 1 > /proc/sys/net/ipv4/ip_forward
      ip link set deep up
      ip address add ${DEEP.router4}/30 dev deep
      ip address add ${DEEP.router6}/64 dev deep nodad`);
    await server.shell(`echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
      ip link set lo up
      ip link set eth0 up
      ip address add ${DEEP.server4}/30 dev eth0
      ip address add ${DEEP.server6}/64 dev eth0 nodad
      ip route add default via ${DEEP.router4}
      ip -6 route add default via ${DEEP.router6}`);
    const relays = [
      ['-4', '-d', '-id', 'eth0', '-iu', 'deep', DEEP.server4],
      ['-6', '-d', '-l', 'eth0', '-u', `${DEEP.server6}%deep`],
    ].map((options) => this.router.start(['dhcrelay', '--no-pid', ...options]));
    for (const relay of relays) await relay.until(() => /Sending on +Socket/.test(relay.errors), 'relay');
    return { server, relays };
  }
}

export async function withDhcpLan(t: Reporter, body: (lan: DhcpLan) => Promise<void>): Promise<void> {
  await withHost(t, async (host) => body(await DhcpLan.open(host)));
}
