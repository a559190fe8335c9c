/** Comparing what was promised with what is: store, host, container. Each difference in words; none means all is well. */
import { formatAddress, formatPrefix, networkOf, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listRoutes } from '../../lib/netlink/route.ts';
import type { Route } from '../../lib/netlink/route.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { checkForwarding } from '../../lib/nftables/forward.ts';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { readSysctl } from '../../lib/system/sysctl.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { Host } from './detach.ts';
import { detailOf, prefixesOf, rulesOf } from './detail.ts';
import { kernelRoute } from './plan.ts';
import { verifyShaping } from './shaping.ts';

type Complaints = string[];

function verifyUp(link: Link, complaints: Complaints): void {
  if ((link.flags & IFF_UP) === 0) complaints.push(`interface ${link.name} is down`);
}

function verifyMtu(link: Link, wanted: number, complaints: Complaints): void {
  if (link.mtu !== wanted) complaints.push(`interface ${link.name} has MTU ${link.mtu}, not ${wanted}`);
}

/** What later plugins of the chain said about the interface, in the result that CHECK is given. */
export interface Told {
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
}

/** A smaller MTU than ours is a later plugin's business (tuning changes it and does not say so); a larger one loses packets. */
function verifyContainerLink(link: Link, record: AttachmentRecord, told: Told, complaints: Complaints): void {
  verifyUp(link, complaints);
  const mtu = told.mtu ?? record.mtu;
  if (mtu !== undefined && link.mtu > mtu) verifyMtu(link, mtu, complaints);
  const mac = told.mac ?? record.mac;
  if (mac !== undefined && link.mac !== mac)
    complaints.push(`interface ${link.name} has MAC ${link.mac}, not ${mac}`);
}

function verifyAddresses(
  present: readonly Prefix[],
  wanted: readonly Prefix[],
  where: string,
  complaints: Complaints,
): void {
  for (const prefix of wanted) {
    const found = present.some(
      (other) => sameAddress(other.address, prefix.address) && other.length === prefix.length,
    );
    if (!found) complaints.push(`${where} lacks the address ${formatPrefix(prefix)}`);
  }
}

function sameRoute(wanted: Route, present: Route): boolean {
  const { destination, gateway, mtu, advmss, priority, table = 254 } = wanted;
  return (
    present.destination.length === destination.length &&
    sameAddress(present.destination.address, destination.address) &&
    (gateway === undefined || (present.gateway !== undefined && sameAddress(present.gateway, gateway))) &&
    (mtu === undefined || present.mtu === mtu) &&
    (advmss === undefined || present.advmss === advmss) &&
    (priority === undefined || present.priority === priority) &&
    present.table === table
  );
}

function verifyRoutes(
  socket: NetlinkSocket,
  link: Link,
  wanted: readonly Route[],
  complaints: Complaints,
): void {
  const present = ([4, 6] as const)
    .filter((family) => wanted.some((route) => route.destination.address.family === family))
    .flatMap((family) => listRoutes(socket, family))
    .filter((route) => route.interface === undefined || route.interface === link.index);
  for (const route of wanted) {
    if (present.some((other) => sameRoute(route, other))) continue;
    const via = route.gateway ? ` via ${formatAddress(route.gateway)}` : '';
    complaints.push(
      `the container lacks the route ${formatPrefix(networkOf(route.destination))}${via} as configured`,
    );
  }
}

/** What the container sees: its interface, addresses, routes. */
export function verifySandbox(netns: Netns, record: AttachmentRecord, told: Told = {}): Complaints {
  const complaints: Complaints = [];
  const socket = inNetns(netns, () => NetlinkSocket.open('route'));
  try {
    const link = findLink(socket, record.ifname);
    if (!link) return [`the container has no interface ${record.ifname}`];
    verifyContainerLink(link, record, told, complaints);
    const present = listAddresses(socket, link.index).map((address) => address.prefix);
    verifyAddresses(present, prefixesOf(record), `interface ${link.name} in the container`, complaints);
    verifyRoutes(socket, link, detailOf(record).routes.map(kernelRoute), complaints);
    return complaints;
  } finally {
    socket.close();
  }
}

function verifyForwarding(record: AttachmentRecord, complaints: Complaints): void {
  if (detailOf(record).gateways.length === 0) return;
  const families = new Set(prefixesOf(record).map((prefix) => prefix.address.family));
  if (families.has(4) && readSysctl('net', 'ipv4', 'ip_forward') !== '1') {
    complaints.push('the host does not forward IPv4 (net.ipv4.ip_forward is 0)');
  }
  if (families.has(6) && readSysctl('net', 'ipv6', 'conf', 'all', 'forwarding') !== '1') {
    complaints.push('the host does not forward IPv6 (net.ipv6.conf.all.forwarding is 0)');
  }
}

/** What the host has: bridge and gateway addresses, the veth's end, NAT, published ports, the way through other firewalls. */
export function verifyHost(host: Host, record: AttachmentRecord): Complaints {
  const complaints: Complaints = [];
  const name = record.bridge ?? '';
  const bridge = findLink(host.route, name);
  if (!bridge) complaints.push(`bridge ${name} is gone`);
  else if (bridge.kind !== 'bridge') complaints.push(`interface ${name} is no bridge any more`);
  else {
    if ((bridge.flags & IFF_UP) === 0) complaints.push(`bridge ${name} is down`);
    const present = listAddresses(host.route, bridge.index).map((address) => address.prefix);
    verifyAddresses(present, detailOf(record).gateways.map(parsePrefix), `bridge ${name}`, complaints);
  }
  const port = findLink(host.route, record.hostIfname ?? '');
  if (!port) complaints.push(`interface ${record.hostIfname} is gone from the host`);
  else {
    verifyUp(port, complaints);
    if (record.mtu !== undefined) verifyMtu(port, record.mtu, complaints);
    if (bridge && port.master !== bridge.index)
      complaints.push(`interface ${port.name} is not plugged into ${name}`);
    if (detailOf(record).hairpin !== (port.hairpin ?? false))
      complaints.push(`hairpin mode of ${port.name} was changed`);
    if (detailOf(record).isolated !== (port.isolated ?? false))
      complaints.push(`isolation of port ${port.name} was changed`);
    complaints.push(...verifyShaping(host.route, record, port));
  }
  verifyForwarding(record, complaints);
  complaints.push(...checkAttachment(host.netfilter, rulesOf(record)));
  complaints.push(...checkForwarding(host.netfilter, name));
  return complaints;
}

/** Whether the store still says that these addresses are this attachment's. */
export function verifyLeases(host: Host, record: AttachmentRecord): Complaints {
  const complaints: Complaints = [];
  if (record.state !== 'attached') complaints.push(`on record it is "${record.state}"`);
  host.store.read((tx) => {
    for (const { address, scope } of record.addresses) {
      if (scope === undefined) continue;
      const owner = tx.addressOwner(scope, parsePrefix(address).address);
      if (owner === undefined) complaints.push(`nobody holds the lease of ${address}`);
      else if (formatKey(owner) !== formatKey(record))
        complaints.push(`the lease of ${address} belongs to ${formatKey(owner)}`);
    }
  });
  return complaints;
}
