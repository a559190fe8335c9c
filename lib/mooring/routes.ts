/** Routes as results and records write them, and as the kernel is asked for them. */
import { networkOf, parseAddress, parsePrefix } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import type { CniRoute } from '../cni/result.ts';
import type { Route } from '../netlink/route.ts';

/** A route of a CNI result as the kernel is asked for it. */
export function kernelRoute(route: CniRoute): Route {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  const gateway: Address | undefined = gw === undefined ? undefined : parseAddress(gw);
  return { destination: networkOf(parsePrefix(dst)), gateway, mtu, advmss, priority, table, scope };
}
