/** The topology as a drawing: each thing a node, its addresses the facts behind its name. */
import { containerLabel, formatPorts } from '../attachment-view.ts';
import type { AttachmentView } from '../attachment-view.ts';
import type { Node } from './tree.ts';
import type { PortView, SegmentNode, NetworkNode, Topology } from './topology.ts';

function containerNode(attachment: AttachmentView): Node {
  const { ifname, addresses, stale, state } = attachment;
  const trouble = stale === undefined ? (state === 'attached' ? [] : [`${state}`]) : [`stale: ${stale}`];
  return {
    title: `${containerLabel(attachment)} ${ifname}`,
    facts: addresses.map(({ address, dhcp }) => (dhcp ? `${address} (DHCP)` : address)),
    remarks: [...formatPorts(attachment), ...trouble],
    children: [],
  };
}

function describeNetwork({ subnets, automatic, attachments }: NetworkNode): string[] {
  const choice = automatic ? ['picked by netmoor'] : [];
  return [...subnets, ...choice, ...(attachments.length === 0 ? ['nobody attached'] : [])];
}

function networkNode(network: NetworkNode): Node {
  return {
    title: `network ${network.name}`,
    facts: describeNetwork(network),
    remarks: [],
    children: network.attachments.map(containerNode),
  };
}

function describeEgress({ egress }: SegmentNode): string[] {
  if (egress === undefined) return [];
  const { table, ipv4, ipv6 } = egress;
  const ways =
    ipv4 === ipv6 ? (ipv4 ?? 'nothing') : `${ipv4 ?? 'nothing'} (IPv4), ${ipv6 ?? 'nothing'} (IPv6)`;
  return [`leaves by ${ways}, routing table ${table}`];
}

function portNode({ name, kind, member }: PortView): Node {
  return {
    title: `port ${name}`,
    facts: [...(kind === undefined ? [] : [kind]), ...(member ? ['member'] : [])],
    remarks: [],
    children: [],
  };
}

function segmentNode(segment: SegmentNode): Node {
  const { name, kind, networks, ports = [] } = segment;
  // A master in the container bears the network's name behind its own.
  const away = kind === 'master' && name.includes('@') ? 'in the container' : 'not there';
  const facts = segment.interface === undefined ? [away] : segment.interface.addresses;
  return {
    title: `${kind} ${name}`,
    facts,
    remarks: describeEgress(segment),
    children: [...ports.map(portNode), ...networks.map(networkNode)],
  };
}

/** Without uplink, says so: NAT has nowhere to lead then. */
export function nodesOf({ host, segments, unplugged }: Topology): Node {
  const { uplink } = host;
  const way = uplink === undefined ? 'no uplink: there is no default route' : `uplink ${uplink.name}`;
  return {
    title: `host ${host.name}`,
    facts: [[way, uplink?.addresses.join(', ')].filter(Boolean).join('  ')],
    remarks: [],
    children: [...segments.map(segmentNode), ...unplugged.map(networkNode)],
  };
}
