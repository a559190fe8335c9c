/**
 * A private host on a LAN with a router and a peer: what the runtimes' containers are given a macvlan on, and who sees
 * them there.
 */
import type { Test } from 'tap';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { eui64 } from '../../lib/base/eui64.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { until } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import type { LanRouter } from '../kernel/lan-router.ts';
import type { LanStation } from '../kernel/lan-station.ts';
import { withForwardingHost } from './states.ts';

/** The name server that the router announces (lan-router.ts, USUAL_RADVD). */
export const RDNSS = '2001:db8:50::53';

export interface MacvlanBed {
  readonly host: Host;
  readonly lan: Lan;
  readonly router: LanRouter;
  /** At 192.0.2.9 and 2001:db8:50::9. */
  readonly peer: LanStation;
}

/** `radvd`: what the router says instead of the usual; `prepare`: shell for the host beforehand. */
export async function withLanHost(
  t: Test,
  body: (bed: MacvlanBed) => Promise<void>,
  { radvd, prepare = '' }: { readonly radvd?: string; readonly prepare?: string } = {},
): Promise<void> {
  await withForwardingHost(
    t,
    async (host) => {
      const lan = await Lan.open(host);
      const router = await lan.router();
      await router.radvd(radvd);
      const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', `${lanWorld.prefix6}9/64`] });
      await body({ host, lan, router, peer });
    },
    prepare,
  );
}

/** IPv4 of the common store's ranges, which a LAN's router would leave to this host. */
export const POOL4 = {
  ranges: [
    [
      {
        subnet: '192.0.2.0/24',
        rangeStart: '192.0.2.100',
        rangeEnd: '192.0.2.199',
        gateway: lanWorld.router4,
      },
    ],
  ],
} as const;

/** A network of macvlan-v6 on the LAN, and what follows it in its chain. */
export function writeLan(host: Host, name: string, config: object = {}, cniVersion = '1.0.0'): void {
  const capabilities = { ips: true, mac: true };
  const plugin = { type: 'macvlan-v6', master: lanWorld.master, capabilities, ...config };
  const list = { cniVersion, name, plugins: [plugin] };
  host.write(`/etc/cni/net.d/20-${name}.conflist`, JSON.stringify(list, undefined, 2));
}

/** The address that is made of a MAC address by the LAN's prefix (RFC 4291, appendix A). */
export function slaacOf(mac: string): string {
  const prefix = parseAddress(lanWorld.prefix6);
  return formatAddress({ family: 6, value: prefix.value | eui64(mac) });
}

/** The MAC address of an interface, as `ip` has it. */
export async function macOf(place: Place, ifname: string): Promise<string> {
  return (await place.ip('link', 'show', 'dev', ifname))[0]?.address ?? '';
}

/** The default routes of a family, each by its gateway and interface. */
export async function defaultRoutes(place: Place, family: '-4' | '-6'): Promise<string[]> {
  const routes = JSON.parse(await place.must(['ip', family, '-j', 'route', 'show', 'default'])) as {
    gateway?: string;
    dev?: string;
    nexthops?: { gateway: string; dev: string }[];
  }[];
  return routes.flatMap(({ gateway, dev, nexthops = [] }) =>
    gateway === undefined ? nexthops.map((hop) => `${hop.gateway} ${hop.dev}`) : [`${gateway} ${dev}`],
  );
}

/** The metrics of the IPv6 default routes, in the order in which the kernel takes them. */
export async function defaultMetrics(place: Place): Promise<number[]> {
  const routes = JSON.parse(await place.must(['ip', '-6', '-j', 'route', 'show', 'default'])) as {
    metric: number;
  }[];
  return routes.map(({ metric }) => metric);
}

/** Resolves when nothing in the host is a macvlan any more: a namespace that ended takes its interfaces along late. */
export async function untilNoMacvlan(host: Host): Promise<void> {
  const left = async () => (await host.ip('link', 'show', 'type', 'macvlan')).length === 0;
  await until(left, 'no macvlan is left in the host');
}

/** The addresses that the store has leased, with their prefix lengths. */
export async function leasedBy(host: Host): Promise<string[]> {
  const { leases } = (await asked(host, 'leases')).view;
  return leases.filter(({ own }) => own).map(({ address }) => address);
}
