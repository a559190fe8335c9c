/** What of a lease goes onto an interface, and into the result of ADD. Pure. */
import { parseAddress, parsePrefix, prefixContains } from '../../lib/base/ip.ts';
import { compactDns } from '../../lib/cni/result.ts';
import type { CniIp, CniResult, CniRoute, Dns } from '../../lib/cni/result.ts';
import { RT_SCOPE_LINK } from '../../lib/netlink/route.ts';
import type { Lease4, Lease6, LeasedDns } from '../../ipam/dhcp/lease.ts';

export interface Leases {
  readonly v4?: Lease4 | undefined;
  readonly v6?: Lease6 | undefined;
}

/** The reference's main plugins take a route without a router to go by the gateway of the address. */
function gatewayOf(v4: Lease4): { gateway?: string } {
  const { gateway } = v4;
  const hasOnLink = routesOf({ v4 }, undefined).some(({ gw }) => gw === undefined);
  return gateway === undefined || hasOnLink ? {} : { gateway };
}

/** Addresses with prefix lengths. Those of DHCPv6 are on no prefix: which is on the link, routers tell (RFC 5942). */
export function ipsOf({ v4, v6 }: Leases): CniIp[] {
  const first = v4 && { address: v4.address, ...gatewayOf(v4) };
  return [
    ...(first ? [first] : []),
    ...(v6?.addresses ?? []).map(({ address }) => ({ address: `${address}/128` })),
  ];
}

/**
 * Routes in the order in which they can be made: one that goes by a router comes behind the one that tells where that
 * router is.
 */
export function routesOf({ v4 }: Leases, priority: number | undefined): CniRoute[] {
  if (v4 === undefined) return [];
  const metric = priority === undefined ? {} : { priority };
  const own = parsePrefix(v4.address);
  const known = v4.routes.filter(({ gw }) => gw === undefined).map(({ dst }) => parsePrefix(dst));
  const reachable = (gw: string): boolean =>
    [own, ...known].some((prefix) => prefixContains(prefix, parseAddress(gw)));
  const gateways = v4.routes.flatMap(({ gw }) => gw ?? []);
  const strangers = [...new Set(gateways.filter((gw) => !reachable(gw)))];
  return [
    // A router outside the subnet, as on networks with a prefix length of 32, is on the link all the same.
    ...strangers.map((gw) => ({ dst: `${gw}/32`, scope: RT_SCOPE_LINK, ...metric })),
    ...v4.routes
      .filter(({ gw }) => gw === undefined)
      .map(({ dst }) => ({ dst, scope: RT_SCOPE_LINK, ...metric })),
    ...v4.routes.filter(({ gw }) => gw !== undefined).map(({ dst, gw = '' }) => ({ dst, gw, ...metric })),
  ];
}

function dnsOf({ v4, v6 }: Leases): Dns {
  const all = [v4?.dns, v6?.dns].filter((dns): dns is LeasedDns => dns !== undefined);
  const domain = all.find((dns) => dns.domain !== undefined)?.domain;
  return compactDns({
    nameservers: [...new Set(all.flatMap(({ nameservers }) => nameservers))],
    ...(domain === undefined ? {} : { domain }),
    search: [...new Set(all.flatMap(({ search }) => search))],
  });
}

export function resultOf(leases: Leases, priority: number | undefined): CniResult {
  return { interfaces: [], ips: ipsOf(leases), routes: routesOf(leases, priority), dns: dnsOf(leases) };
}
