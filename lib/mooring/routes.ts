/** Routes as results and records write them, and as the kernel is asked for them. */
import { formatPrefix, networkOf, parseAddress, parsePrefix } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import type { CniRoute } from '../cni/result.ts';
import { RT_SCOPE_LINK } from '../netlink/route.ts';
import type { Route } from '../netlink/route.ts';
import type { AddressRecord } from '../../ipam/record.ts';

/** A route of a CNI result as the kernel is asked for it. */
export function kernelRoute(route: CniRoute): Route {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  const gateway: Address | undefined = gw === undefined ? undefined : parseAddress(gw);
  return { destination: networkOf(parsePrefix(dst)), gateway, mtu, advmss, priority, table, scope };
}

export function firstGateway(addresses: readonly AddressRecord[], family: Family): string | undefined {
  return addresses.find(({ gateway }) => gateway !== undefined && parseAddress(gateway).family === family)
    ?.gateway;
}

/** As the reference: a route without a gateway goes by that of the first address of its family. */
export function withGateways(routes: readonly CniRoute[], addresses: readonly AddressRecord[]): CniRoute[] {
  return routes.map((route) => {
    const gw = route.gw ?? firstGateway(addresses, parsePrefix(route.dst).address.family);
    return route.scope === RT_SCOPE_LINK || gw === undefined ? route : { ...route, gw };
  });
}

/** The prefixes that addresses are in. */
export function subnetsOf(addresses: readonly AddressRecord[]): string[] {
  return [...new Set(addresses.map(({ address }) => formatPrefix(networkOf(parsePrefix(address)))))];
}
