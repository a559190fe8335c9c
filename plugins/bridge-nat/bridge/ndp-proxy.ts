/**
 * The key `ndpProxy`: routed IPv6 without NAT out of a prefix that is on the link of the host's uplink. The host
 * answers neighbour solicitations for each container's address there, and the smaller subnet on the bridge leads on.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import {
  formatAddress,
  formatPrefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  sameAddress,
} from '../../../lib/base/ip.ts';
import type { Address, Prefix } from '../../../lib/base/ip.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import type { Host, Sockets } from '../../../lib/mooring/host.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import { answerFor, isAnswering, stopAnswering } from '../../../lib/mooring/proxy.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { listProxies } from '../../../lib/netlink/proxy-neighbour.ts';
import { listRoutes } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { findUplink } from '../../../lib/netlink/uplink.ts';
import { parsePool } from '../../../ipam/pool.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import type { BridgeNatDetail, BridgeNatRecord } from '../detail.ts';

/** Names of interfaces; empty: to be found when a container is attached. */
export type NdpProxy = readonly string[];

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', `ndpProxy: ${message}`, advice);
}

/** Undefined: none. Throws NetmoorError('bad-config'). */
export function readNdpProxy({ ndpProxy = false }: BridgeNatInput, ipam: IpamChoice): NdpProxy | undefined {
  if (ndpProxy === false) return undefined;
  if (ipam.kind === 'none')
    refuse('the network has no addresses to answer for', 'give it an "ipam", or remove "ndpProxy"');
  if (ipam.kind === 'netmoor' && (ipam.automatic || subnetsOf6(ipam).length === 0))
    refuse(
      "no IPv6 range is named, and what netmoor picks by itself is on nobody's link",
      'give "ipam" a part of the prefix that the uplink has, 2001:db8::1:0:0:0/80 of 2001:db8::/64',
    );
  const names = ndpProxy === true ? [] : [ndpProxy].flat();
  const problem = names.map(interfaceNameProblem).find((each) => each !== undefined);
  if (problem !== undefined) refuse(problem, 'name interfaces of the host, or set it to true');
  return names;
}

function subnetsOf6(ipam: IpamChoice): Prefix[] {
  if (ipam.kind !== 'netmoor' || ipam.automatic) return [];
  const ranges = parsePool(ipam.pool, ipam.extraRanges).sets.flat();
  return ranges.map(({ subnet }) => subnet).filter(({ address }) => address.family === 6);
}

/** What is on a link: index of the interface, and the prefix, but for that of the bridge itself. */
function onLink(route: NetlinkSocket, bridge: string): { readonly index: number; readonly prefix: Prefix }[] {
  const own = findLink(route, bridge)?.index;
  return listRoutes(route, 6).flatMap(({ destination, gateway, interface: index }) =>
    gateway === undefined && index !== undefined && index !== own && destination.length > 0
      ? [{ index, prefix: destination }]
      : [],
  );
}

/** Whether `inner` is a true part of `outer`, so that its route wins. */
function isPartOf(inner: Prefix, outer: Prefix): boolean {
  return inner.length > outer.length && prefixContains(outer, inner.address);
}

/**
 * Whether an attachment's network may have a subnet although an interface of the host is in an overlapping one: that
 * gives its addresses to the bridge; or the host answers there for the containers, and the subnet is a smaller part of
 * the prefix.
 */
export function mayShareSubnet(
  { ndpProxy, members }: Pick<BridgeNatDetail, 'ndpProxy' | 'members'>,
  subnet: Prefix,
  ifname: string,
  other: Prefix,
): boolean {
  if (members?.some((member) => member.interface === ifname && member.moveAddresses)) return true;
  return subnet.address.family === 6 && ndpProxy?.includes(ifname) === true && isPartOf(subnet, other);
}

/**
 * The interfaces to answer on: those named, or whose on-link prefix the network's subnets are part of, or the one with
 * the default route. Throws NetmoorError('bad-config') when there is none.
 */
export function findNdpUplinks(
  route: NetlinkSocket,
  wanted: NdpProxy,
  { ipam, isGateway }: { readonly ipam: IpamChoice; readonly isGateway: boolean },
  bridge: string,
): NdpProxy {
  if (!isGateway)
    refuse(
      'the host has to be the gateway of the containers',
      'set "isGateway" to true, or remove "ndpProxy"',
    );
  const missing = wanted.find((name) => findLink(route, name) === undefined);
  if (missing !== undefined) refuse(`there is no interface ${missing}`, 'name one that "ip link" shows');
  if (wanted.length > 0) return wanted;
  const subnets = subnetsOf6(ipam);
  const around = onLink(route, bridge).filter(({ prefix }) => subnets.some((each) => isPartOf(each, prefix)));
  const names = around.flatMap(({ index }) => findLink(route, index)?.name ?? []);
  const uplink = names.length > 0 ? undefined : findUplink(route, [6])?.name;
  const found = [...new Set([...names, ...(uplink === undefined ? [] : [uplink])])];
  if (found.length > 0) return found;
  return refuse(
    'no interface has its prefix on the link, and there is no IPv6 default route',
    'name the interface, as in "ndpProxy": "eth0"',
  );
}

function addresses6(record: BridgeNatRecord): Address[] {
  return prefixesOf(record)
    .map(({ address }) => address)
    .filter(({ family }) => family === 6);
}

/** Two interfaces with one and the same prefix: the kernel would look for the container on the wrong one. */
function refuseAmbiguous(route: NetlinkSocket, { segment = '', detail }: BridgeNatRecord): void {
  const subnets = detail.subnets.map(parsePrefix).filter(({ address }) => address.family === 6);
  for (const { index, prefix } of onLink(route, segment)) {
    const name = findLink(route, index)?.name;
    if (name === undefined || !detail.ndpProxy?.includes(name)) continue;
    const rival = subnets.find((subnet) => prefixesOverlap(subnet, prefix) && !isPartOf(subnet, prefix));
    if (rival === undefined) continue;
    refuse(
      `${formatPrefix(rival)} is no smaller than ${formatPrefix(prefix)}, which is on the link of ${name}`,
      `give the network a part of it, with a prefix length above ${prefix.length}`,
    );
  }
}

/** Has the host answer for the container's addresses; it may be repeated. Throws NetmoorError, SystemError. */
export function proxyAttachment({ route }: Sockets, record: BridgeNatRecord): void {
  const { ndpProxy } = record.detail;
  if (ndpProxy === undefined) return;
  refuseAmbiguous(route, record);
  for (const name of ndpProxy) {
    const link = findLink(route, name);
    if (link === undefined) refuse(`there is no interface ${name}`, 'name one that "ip link" shows');
    answerFor(route, link, addresses6(record));
  }
}

/** Ends that. */
export function unproxyAttachment({ route }: Sockets, record: BridgeNatRecord): void {
  const { ndpProxy } = record.detail;
  if (ndpProxy !== undefined) stopAnswering(route, ndpProxy, addresses6(record));
}

/** How the host differs from what proxyAttachment() has made, in words. */
export function verifyProxies({ route }: Pick<Host, 'route'>, record: BridgeNatRecord): string[] {
  return (record.detail.ndpProxy ?? []).flatMap((name) => {
    const link = findLink(route, name);
    if (link === undefined) return [`interface ${name}, on which neighbours are answered, is gone`];
    const entries = listProxies(route, link.index);
    const missing = addresses6(record).filter(
      (each) => !entries.some(({ address }) => sameAddress(address, each)),
    );
    return [
      ...missing.map((address) => `neighbours on ${name} get no answer for ${formatAddress(address)}`),
      ...(isAnswering(name) ? [] : [`neighbour discovery is not proxied on ${name} (proxy_ndp is 0)`]),
    ];
  });
}
