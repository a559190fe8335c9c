/** What was promised for an attachment of macvlan-v6, and what there is, on the host and in the container. */
import { formatPrefix, isLinkLocal, parsePrefix } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Told } from '../../lib/mooring/kind.ts';
import { verifyInterface } from '../../lib/mooring/verify.ts';
import type { Complaints } from '../../lib/mooring/verify.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listRoutes } from '../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { IFA_F_DADFAILED, IFA_F_PERMANENT, IFA_F_STABLE_PRIVACY } from '../../lib/netlink/uapi.ts';
import { withSocketIn } from '../../lib/netlink/socket-in.ts';
import { checkGuard } from '../../lib/nftables/guard/check.ts';
import { checkInside } from '../../lib/nftables/guard/inside.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { verifyAccess } from './access.ts';
import type { MacvlanRecord } from './detail.ts';
import { mooredPort, presentPort } from './moored.ts';

/** What the host has: the master, the guard on it, its own way to the container. */
export function verifyHost(host: Host, record: MacvlanRecord): Complaints {
  const { detail, segment = '' } = record;
  if (detail.linkInContainer) return [];
  const complaints: Complaints = [];
  const master = findLink(host.route, detail.masterIndex ?? segment);
  if (!master) complaints.push(`master ${segment} is gone`);
  else {
    if (master.name !== segment) complaints.push(`master ${segment} is called ${master.name} now`);
    if ((master.flags & IFF_UP) === 0) complaints.push(`master ${master.name} is down`);
  }
  const port = presentPort(host.route, record);
  if (port !== undefined) complaints.push(...checkGuard(host.netfilter, port));
  if (detail.hostAccess) complaints.push(...verifyAccess(host, record));
  return complaints;
}

function verifyMacvlan(link: Link, { detail }: MacvlanRecord): Complaints {
  if (link.kind !== 'macvlan') return [`interface ${link.name} in the container is no macvlan`];
  const complaints: Complaints = [];
  const { mode } = link.macvlan ?? {};
  if (mode !== detail.mode) complaints.push(`interface ${link.name} is in mode ${mode}, not ${detail.mode}`);
  if (!detail.linkInContainer && link.peer !== detail.masterIndex)
    complaints.push(`interface ${link.name} stands on another master`);
  return complaints;
}

/** Some default route leads out of the interface, whoever made it. */
function hasWayOut(socket: NetlinkSocket, { index }: Link): boolean {
  return listRoutes(socket, 6).some(
    ({ interface: out, destination, gateway }) =>
      out === index && destination.length === 0 && gateway !== undefined,
  );
}

/** Which addresses routers give, and by which of them it goes on, may change; that there are some may not. */
function verifyAutoconfigured(
  socket: NetlinkSocket,
  link: Link,
  own: readonly InterfaceAddress[],
  { detail, addresses }: MacvlanRecord,
): Complaints {
  const made = own.some(
    ({ flags, scope }) => scope === 0 && (flags & (IFA_F_PERMANENT | IFA_F_DADFAILED)) === 0,
  );
  // Without a router there was the link-local one alone.
  const had = detail.autoconfigured.some((address) => !isLinkLocal(parsePrefix(address).address));
  const ledOut = addresses.some(
    ({ address, gateway }) => gateway !== undefined && detail.autoconfigured.includes(address),
  );
  const where = `interface ${link.name}`;
  return [
    ...(had && !made ? [`${where} has no address by router advertisements any more`] : []),
    ...(ledOut && !hasWayOut(socket, link) ? [`${where} has no IPv6 default route any more`] : []),
  ];
}

function verifyIpv6(socket: NetlinkSocket, link: Link, record: MacvlanRecord): Complaints {
  const own = listAddresses(socket, link.index).filter(({ prefix }) => prefix.address.family === 6);
  const failed = ({ flags }: InterfaceAddress): boolean => (flags & IFA_F_DADFAILED) !== 0;
  // In place of one by RFC 7217 the kernel may have made another.
  const replaced = ({ flags, scope }: InterfaceAddress): boolean =>
    (flags & IFA_F_STABLE_PRIVACY) !== 0 && own.some((other) => other.scope === scope && !failed(other));
  const lost = own.filter((address) => failed(address) && !replaced(address));
  return [
    ...lost.map(({ prefix }) => `somebody else on the network has ${formatPrefix(prefix)}`),
    ...verifyAutoconfigured(socket, link, own, record),
  ];
}

function verifyGuard(netns: Netns, record: MacvlanRecord): Complaints {
  const port = mooredPort(record);
  if (port === undefined || !port.spoofCheck) return [];
  return withSocketIn(netns, 'netfilter', (netfilter) => checkInside(netfilter, port));
}

/** What the container sees: its interface, addresses, routes. */
export function verifyInside(netns: Netns, record: MacvlanRecord, told: Told = {}): Complaints {
  const { autoconfigured } = record.detail;
  const given = record.addresses.filter(({ address }) => !autoconfigured.includes(address));
  const complaints = verifyInterface(netns, { ...record, addresses: given }, told);
  return withSocketIn(netns, 'route', (socket) => {
    const link = findLink(socket, record.ifname);
    if (link === undefined) return complaints;
    return [
      ...complaints,
      ...verifyMacvlan(link, record),
      ...verifyIpv6(socket, link, record),
      ...verifyGuard(netns, record),
    ];
  });
}
