/** What the host was promised to have for an attachment of bridge-nat, and what it has. */
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { prefixesOf, verifyAddresses, verifyMtu, verifyUp } from '../../lib/mooring/verify.ts';
import type { Complaints } from '../../lib/mooring/verify.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { checkForwarding } from '../../lib/nftables/forward.ts';
import { readLocalnet } from '../../lib/nftables/localnet.ts';
import { isForwarding } from '../../lib/netlink/devconf.ts';
import { clientOf } from './dhcp-server/client.ts';
import { publishes4, rulesOf } from './detail.ts';
import { egressOf } from './egress/plan.ts';
import { verifyEgress } from './egress/verify.ts';
import type { BridgeNatRecord } from './detail.ts';
import { verifyAnswering } from './nat/answering.ts';
import { verifySources } from './nat/host.ts';
import { verifyMembers } from './bridge/member-ports.ts';
import { verifyProxies } from './bridge/ndp-proxy.ts';
import { verifyShaping } from './bandwidth/shaping.ts';
import { verifyVlans } from './bridge/vlan-ports.ts';

export function verifyForwarding({ route }: Pick<Host, 'route'>, record: BridgeNatRecord): Complaints {
  if (record.detail.gateways.length === 0) return [];
  const complaints: Complaints = [];
  const families = new Set(prefixesOf(record).map((prefix) => prefix.address.family));
  if (families.has(4) && !isForwarding(route, 4)) {
    complaints.push('the host does not forward IPv4 (net.ipv4.ip_forward is 0)');
  }
  if (families.has(6) && !isForwarding(route, 6)) {
    complaints.push('the host does not forward IPv6 (net.ipv6.conf.all.forwarding is 0)');
  }
  return complaints;
}

/** An ADD switches it on, once the guard stands. */
export function verifyLocalnet({ route }: Pick<Host, 'route'>, record: BridgeNatRecord): Complaints {
  const { segment = '' } = record;
  if (!publishes4(record) || readLocalnet(route, segment) !== 0) return [];
  return [`no port is published on 127.0.0.1: route_localnet of bridge ${segment} is off`];
}

/** Bridge and gateway addresses, the veth's end, its limits. */
export function verifyInterfaces(host: Host, record: BridgeNatRecord): Complaints {
  const complaints: Complaints = [];
  const name = record.segment ?? '';
  const bridge = findLink(host.route, name);
  if (!bridge) complaints.push(`bridge ${name} is gone`);
  else if (bridge.kind !== 'bridge') complaints.push(`interface ${name} is no bridge any more`);
  else {
    if ((bridge.flags & IFF_UP) === 0) complaints.push(`bridge ${name} is down`);
    const present = listAddresses(host.route, bridge.index).map((address) => address.prefix);
    complaints.push(...verifyMembers(host, bridge, record.detail.members ?? []));
    verifyAddresses(present, record.detail.gateways.map(parsePrefix), `bridge ${name}`, complaints);
  }
  const port = findLink(host.route, record.hostIfname ?? '');
  // Where a client of the DHCP server is plugged in is nobody's promise.
  if (clientOf(record) !== undefined) return complaints;
  complaints.push(...verifyAnswering(host, record), ...verifySources(host, record));
  if (!port) complaints.push(`interface ${record.hostIfname} is gone from the host`);
  else {
    verifyUp(port, complaints);
    if (record.mtu !== undefined) verifyMtu(port, record.mtu, complaints);
    if (bridge && port.master !== bridge.index)
      complaints.push(`interface ${port.name} is not plugged into ${name}`);
    if (record.detail.hairpin !== (port.hairpin ?? false))
      complaints.push(`hairpin mode of ${port.name} was changed`);
    if (record.detail.isolated !== (port.isolated ?? false))
      complaints.push(`isolation of port ${port.name} was changed`);
    complaints.push(...verifyShaping(host.route, record, port));
    if (record.detail.vlans) complaints.push(...verifyVlans(host.route, port, record.detail.vlans));
  }
  return complaints;
}

/** What the host has: interfaces, NAT, published ports, the way through other firewalls. */
export function verifyHost(host: Host, record: BridgeNatRecord): Complaints {
  const ways = checkForwarding(host.netfilter, record.segment ?? '');
  const own = checkAttachment(host.netfilter, rulesOf(record));
  const egress = egressOf(record);
  return [
    ...verifyInterfaces(host, record),
    ...verifyForwarding(host, record),
    ...ways,
    ...(egress ? verifyEgress(host.route, egress) : []),
    ...own,
    ...verifyLocalnet(host, record),
    ...verifyProxies(host, record),
  ];
}
