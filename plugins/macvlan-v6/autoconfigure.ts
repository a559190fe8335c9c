/** What the LAN's routers give, put into the result and on record (RFC 4862, RFC 8106). */
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import { compactDns } from '../../lib/cni/result.ts';
import type { CniRoute } from '../../lib/cni/result.ts';
import type { Found } from '../../lib/mooring/kind.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
import { untilAutoconfigured } from '../../lib/netlink/autoconf.ts';
import type { Autoconfigured } from '../../lib/netlink/autoconf.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { solicitRouters } from '../../lib/system/neighbour-discovery.ts';
import { subnetsOf } from '../../lib/mooring/routes.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import type { Made, Work } from './work.ts';

function refuseDuplicate({ duplicate: [first] }: Autoconfigured): void {
  if (first === undefined) return;
  const address = formatAddress(first.prefix.address);
  throw new NetmoorError(
    'address-taken',
    `somebody else on the network has ${address}`,
    'find who it is; another "mac" or "interfaceIdentifier", or "stable-privacy", gives another address',
  );
}

/** What the router has announced, and why no address came of it. */
function whyNone({ prefixes: [first], onLink, managed }: Autoconfigured): { why: string; advice: string } {
  const advice =
    'let the router announce a prefix of length 64 for autoconfiguration, or give the network a pool';
  const odd = onLink.find(({ length }) => length !== 64);
  if (odd !== undefined)
    return { why: `prefix ${formatPrefix(odd)} is of length ${odd.length}, not 64`, advice };
  if (first === undefined && managed)
    return { why: 'it wants addresses to be asked of a DHCPv6 server', advice };
  if (first === undefined) return { why: 'it announces no prefix of length 64', advice };
  const text = formatPrefix(first.prefix);
  return first.autonomous
    ? { why: `prefix ${text} is deprecated, or nobody could tell whether its address is free`, advice }
    : { why: `prefix ${text} is not for autoconfiguration (AdvAutonomous is off)`, advice };
}

/** Why there is no address, of which the first reason that fits is the right one. */
function refuseLack(found: Autoconfigured, { master, timeout }: MacvlanConfig): never {
  const seconds = `${timeout / 1000} s`;
  if (!found.heard) {
    throw new NetmoorError(
      'not-available',
      `no router has answered on ${master} within ${seconds}`,
      'is there one that advertises (radvd, the LAN\'s router)? "timeout" waits longer, "allowLinkLocalOnly" goes on without, "addressing" can be "pool" or "none"',
    );
  }
  const { why, advice } = whyNone(found);
  throw new NetmoorError(
    'not-available',
    `a router has answered on ${master}, but no address came of it within ${seconds}: ${why}`,
    advice,
  );
}

function recordOf({ prefix }: InterfaceAddress, gateway: Address | undefined): AddressRecord {
  const address = formatPrefix(prefix);
  return gateway === undefined ? { address } : { address, gateway: formatAddress(gateway) };
}

/** Routers can tell any; the kernel heeds it from the least of IPv6 up to the link's own (ndisc_router_discovery). */
const LEAST_MTU = 1280;

function routesOf({ routes, mtu }: Autoconfigured, link: Link): CniRoute[] {
  const heeded = mtu !== undefined && mtu >= LEAST_MTU && mtu <= link.mtu ? { mtu } : {};
  return routes.flatMap(({ gateway }) =>
    gateway === undefined ? [] : [{ dst: '::/0', gw: formatAddress(gateway), ...heeded }],
  );
}

/** False when the link has no address to ask from: the one it had a moment ago turned out to be another's. */
function ask(netns: Netns, { index }: Link): boolean {
  try {
    inNetns(netns, () => solicitRouters(index));
    return true;
  } catch (error) {
    if (isErrno(error, 'EADDRNOTAVAIL')) return false;
    throw error;
  }
}

/** Waits for what routers give. Throws NetmoorError 'not-available' or 'address-taken'. */
export function autoconfigure(
  { host, request, sandbox }: Work,
  { link }: Made,
  record: MacvlanRecord,
  notifications: NetlinkSocket | undefined,
): Found<MacvlanDetail> {
  const { config } = request;
  const { detail } = record;
  if (notifications === undefined) return { addresses: record.addresses, detail, routes: [], dns: {} };
  const found = untilAutoconfigured(
    { route: sandbox.route, notifications },
    {
      index: link.index,
      strict: config.dad === 'strict',
      solicit: () => ask(request.netns, link),
      milliseconds: config.timeout,
    },
    host.world.monotonic,
  );
  refuseDuplicate(found);
  if (found.addresses.length === 0 && !config.allowLinkLocalOnly) refuseLack(found, config);
  const made = found.addresses.length > 0 ? found.addresses : found.linkLocal;
  const obtained = made.map((address) => recordOf(address, found.routes[0]?.gateway));
  const addresses = [...record.addresses, ...obtained];
  const [linkLocal] = found.linkLocal;
  return {
    addresses,
    detail: {
      ...detail,
      subnets: subnetsOf(addresses),
      autoconfigured: obtained.map(({ address }) => address),
      ...(config.identifier === 'stable-privacy' && linkLocal
        ? { linkLocal: formatAddress(linkLocal.prefix.address) }
        : {}),
    },
    routes: routesOf(found, link),
    dns: compactDns({
      nameservers: found.servers.map(formatAddress),
      search: found.domains,
    }),
  };
}
