/** What is asked of the LAN's routers, beside taking what they say. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listRoutes } from '../../lib/netlink/route.ts';
import { RT_TABLE_MAIN } from '../../lib/netlink/uapi.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { ensureSysctlIfPresent } from '../../lib/system/sysctl.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';

/** Of the kernel's numbers (u32). */
const LAST_METRIC = 0xffffffff;

/** The metric of IPv6 routes for which nobody names one (linux/ipv6_route.h). */
const IP6_RT_PRIO_USER = 1024;

/**
 * Routers of this LAN come behind the IPv6 default routes that the container has by another network: of two with one
 * metric the kernel would take now this, now that one (find_rr_leaf). Said before the interface is raised; kernels
 * before 5.12 do not know it.
 */
export function rankRouters({ netns, route }: Sandbox, { name }: Link): void {
  const metrics = listRoutes(route, 6)
    .filter(({ destination, table }) => destination.length === 0 && table === RT_TABLE_MAIN)
    .map(({ priority = IP6_RT_PRIO_USER }) => priority);
  if (metrics.length === 0) return;
  const last = metrics.reduce((most, each) => Math.max(most, each), 0);
  const metric = String(Math.min(last + IP6_RT_PRIO_USER, LAST_METRIC));
  inNetns(netns, () => ensureSysctlIfPresent(metric, 'net', 'ipv6', 'conf', name, 'ra_defrtr_metric'));
}

/** Throws NetmoorError('not-available') when an address that was asked for did not come of what routers announce. */
export function requireAsked(
  { askedOfRouters }: Pick<MacvlanConfig, 'askedOfRouters'>,
  addresses: readonly AddressRecord[],
): void {
  const present = addresses.map(({ address }) => parsePrefix(address).address);
  const lacking = askedOfRouters.find((asked) => !present.some((each) => sameAddress(each, asked)));
  if (lacking === undefined) return;
  throw new NetmoorError(
    'not-available',
    `requested address ${formatAddress(lacking)} did not come of what routers announce`,
    `there is ${present.map(formatAddress).join(', ')}; ask for one of an announced prefix, or for one of your own with its length`,
  );
}
