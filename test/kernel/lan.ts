/**
 * A private LAN around a private host: what macvlan has a master on.
 *
 *   host (lan0) ──┐
 *   router (eth0) ┤ bridge `lan` in the namespace "switch"
 *   peers (eth0) ─┘
 *
 *   await withHost(t, async (host) => {
 *     const lan = await Lan.open(host);
 *     const router = await lan.router();                       // 2001:db8:50::1, fe80::1, 192.0.2.1
 *     await router.radvd();                                    // resolves when its first advertisement was heard
 *     const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', '2001:db8:50::9/64'] });
 *     …
 *   });
 *
 * Nothing has to be closed: namespaces, links and daemons are the host's and go with it.
 */
import { LanListener } from './lan-listener.ts';
import type { ListenOptions } from './lan-listener.ts';
import { LanRouter } from './lan-router.ts';
import { LanStation } from './lan-station.ts';
import { until } from './harness.ts';
import type { Host, Place } from './harness.ts';

/** The LAN's own ranges, of those for documentation (RFC 3849, RFC 5737). */
export const lanWorld = {
  /** The host's interface on the LAN. */
  master: 'lan0',
  prefix6: '2001:db8:50::',
  prefix4: '192.0.2.',
  /** The router's interface is `eth0`; these are its addresses. */
  routerLinkLocal: 'fe80::1',
  router6: '2001:db8:50::1',
  router4: '192.0.2.1',
} as const;

export interface LanOptions {
  /** MTU of every interface on the LAN. */
  readonly mtu?: number;
}

export interface StationOptions {
  /** With prefix length; usable at once (nodad). */
  readonly addresses?: readonly string[];
  readonly mac?: string;
  /** The link-local address instead of the one made of the MAC; `none` for no IPv6 of its own. */
  readonly linkLocal?: string;
}

/** Namespaces that no runtime and no collector of namespaces comes across. */
const DIRECTORY = '/run/harness/lan';

/**
 * No snooping: without a querier it floods all the same, and its own queries are frames that nobody asked for. Without
 * IPv6 the switch itself is silent.
 */
const SWITCH = `
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add lan type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip link set lan up`;

export class Lan {
  readonly host: Host;
  /** The namespace of the bridge, which is called `lan`: a listener on it hears what is flooded. */
  readonly switch: Place;
  readonly #mtu: number;
  #ports = 0;

  private constructor(host: Host, bridge: Place, mtu: number) {
    this.host = host;
    this.switch = bridge;
    this.#mtu = mtu;
  }

  /**
   * A LAN with nobody on it but the host. Its own lan0 believes no advertisement and skips DAD: tests of the host as a
   * client of the LAN set that otherwise.
   */
  static async open(host: Host, options: LanOptions = {}): Promise<Lan> {
    const path = `${DIRECTORY}/switch`;
    await host.shell(`mkdir -p ${DIRECTORY}; : > ${path}; unshare --net=${path} true`);
    const lan = new Lan(host, host.at(path, 'switch'), options.mtu ?? 1500);
    await lan.switch.shell(SWITCH);
    await lan.#plug(host, lanWorld.master, '02:00:5e:00:54:02');
    return lan;
  }

  /** A namespace with `eth0` on the LAN: a peer, a victim, a rogue. */
  async station(name: string, options: StationOptions = {}): Promise<LanStation> {
    const path = `${DIRECTORY}/station-${name}`;
    await this.host.shell(`: > ${path}; unshare --net=${path} true`);
    const place = this.host.at(path, name);
    await place.shell('ip link set lo up');
    await this.#plug(place, 'eth0', options.mac, options.linkLocal);
    const add = (options.addresses ?? []).map((address) => `ip address add ${address} dev eth0 nodad`);
    await place.shell(add.join('\n'));
    return new LanStation(place);
  }

  /** The LAN's router; a second one, or a rogue, is given a name and addresses of its own. */
  async router(name = 'router', options: StationOptions = {}): Promise<LanRouter> {
    const station = await this.station(name, {
      mac: '02:00:5e:00:54:01',
      linkLocal: lanWorld.routerLinkLocal,
      addresses: [`${lanWorld.router6}/64`, `${lanWorld.router4}/24`],
      ...options,
    });
    await station.place.shell('echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    return new LanRouter(this.host, station, () => this.listen({ filter: 'icmp6 and ip6[40] == 134' }));
  }

  /** Hears what the bridge floods, or whatever passes an interface of `place`; resolves when it listens. */
  async listen(options: ListenOptions = {}): Promise<LanListener> {
    return LanListener.open(options.place ?? this.switch, options.ifname ?? 'lan', options.filter);
  }

  /** A cable from an interface of `place` to the bridge; resolves when both ends forward. */
  async #plug(place: Place, ifname: string, mac?: string, linkLocal?: string): Promise<void> {
    const port = `port${++this.#ports}`;
    const address = mac ?? `02:00:5e:00:55:${this.#ports.toString(16).padStart(2, '0')}`;
    const own = linkLocal === undefined ? '' : `ip link set ${ifname} addrgenmode none`;
    const given =
      linkLocal === undefined || linkLocal === 'none'
        ? ''
        : `ip address add ${linkLocal}/64 dev ${ifname} nodad`;
    await this.host.shell(
      `ip link add ${port} mtu ${this.#mtu} netns ${this.switch.netnsPath} type veth \
        peer name ${ifname} address ${address} mtu ${this.#mtu} netns ${place.netnsPath}`,
    );
    await this.switch.shell(`ip link set ${port} master lan; ip link set ${port} up`);
    await place.shell(`${own}
      for name in accept_dad accept_ra router_solicitations; do
        echo 0 > /proc/sys/net/ipv6/conf/${ifname}/$name
      done
      ip link set ${ifname} up
      ${given}`);
    await this.#forwards(place, ifname, port);
  }

  async #forwards(place: Place, ifname: string, port: string): Promise<void> {
    await until(async () => {
      const [state] = JSON.parse(await this.switch.must(['bridge', '-j', 'link', 'show', 'dev', port]));
      const [link] = await place.ip('link', 'show', 'dev', ifname);
      return state?.state === 'forwarding' && link?.operstate === 'UP';
    }, `${port} forwards`);
  }
}
