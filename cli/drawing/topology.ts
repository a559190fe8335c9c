/** What is plugged in where, as a tree: the host, its way out, bridges and networks, containers. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatPrefix } from '../../lib/base/ip.ts';
import { nearest } from '../../lib/base/suggest.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { RT_SCOPE_UNIVERSE } from '../../lib/netlink/route.ts';
import type { SeenEgress } from '../../plugins/bridge-nat/egress/seen.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import { isHostIfname, isMemberMark } from '../../plugins/bridge-nat/names.ts';
import { containerLabel } from '../attachment-view.ts';
import type { AttachmentView } from '../attachment-view.ts';

export interface InterfaceView {
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
}

export interface NetworkNode {
  readonly name: string;
  readonly plugin: string;
  readonly subnets: readonly string[];
  readonly automatic: boolean;
  readonly attachments: readonly AttachmentView[];
}

/** What else is plugged into a bridge: a member of the network, or what somebody else has plugged in. */
export interface PortView {
  readonly name: string;
  /** rtnl_link_ops kind: "tun", "veth", …; absent for a network card. */
  readonly kind?: string;
  /** netmoor has plugged it in (the key `members`). */
  readonly member: boolean;
}

/** What containers are plugged into. */
export interface SegmentNode {
  readonly name: string;
  readonly kind: 'bridge' | 'master';
  /** Absent when the kernel has no such interface. */
  readonly interface?: InterfaceView;
  /** Of a bridge, beside those of containers; absent when there are none. */
  readonly ports?: readonly PortView[];
  readonly networks: readonly NetworkNode[];
  /** What comes in by it leaves by a routing table of its own; a family without an interface does not leave. */
  readonly egress?: { readonly table: number; readonly ipv4?: string; readonly ipv6?: string };
}

/** schemas/cli-show.schema.json */
export interface Topology {
  readonly host: { readonly name: string; readonly uplink?: InterfaceView };
  readonly segments: readonly SegmentNode[];
  /** Networks of which netmoor gives the addresses alone. */
  readonly unplugged: readonly NetworkNode[];
}

/** What the kernel says, gathered beforehand. */
export interface HostFacts {
  readonly name: string;
  readonly uplink: Link | undefined;
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** The plugins whose segments are masters; those of all others are bridges. */
  readonly ofMasters: ReadonlySet<string>;
  readonly egresses?: readonly SeenEgress[];
}

function interfaceView(link: Link, { addresses }: HostFacts): InterfaceView {
  const own = addresses.filter(({ index, scope }) => index === link.index && scope === RT_SCOPE_UNIVERSE);
  return { name: link.name, mtu: link.mtu, addresses: own.map(({ prefix }) => formatPrefix(prefix)) };
}

function egressView({ bridge: _its, ...egress }: SeenEgress): SegmentNode['egress'] & object {
  return egress;
}

/** Containers' own are drawn as containers. */
function portsOf(bridge: Link, { links }: HostFacts): PortView[] {
  const others = links.filter(({ master, name }) => master === bridge.index && !isHostIfname(name));
  return others
    .map((link) => ({
      name: link.name,
      ...(link.kind === undefined ? {} : { kind: link.kind }),
      member: link.altNames?.some(isMemberMark) ?? false,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function segmentNode(name: string, networks: readonly NetworkNode[], facts: HostFacts): SegmentNode {
  const link = facts.links.find((candidate) => candidate.name === name);
  const ports = link?.kind === 'bridge' ? portsOf(link, facts) : [];
  const kind = networks.every(({ plugin }) => facts.ofMasters.has(plugin)) ? 'master' : 'bridge';
  const seen = facts.egresses?.find(({ bridge }) => bridge === name);
  return {
    name,
    kind,
    ...(link === undefined ? {} : { interface: interfaceView(link, facts) }),
    ...(ports.length > 0 ? { ports } : {}),
    networks,
    ...(seen === undefined ? {} : { egress: egressView(seen) }),
  };
}

function networkNode(record: NetworkRecord, attachments: readonly AttachmentView[]): NetworkNode {
  const { name, plugin, subnets, automatic } = record;
  return {
    name,
    plugin,
    subnets,
    automatic,
    attachments: attachments.filter(({ network }) => network === name),
  };
}

/** Puts everything in its place. */
export function buildTopology(
  facts: HostFacts,
  networks: readonly NetworkRecord[],
  attachments: readonly AttachmentView[],
): Topology {
  const placed = networks.map((record) => ({
    segment: record.segment,
    node: networkNode(record, attachments),
  }));
  const bySegment = Map.groupBy(placed, ({ segment }) => segment);
  const nodes = (segment: string | undefined): NetworkNode[] =>
    (bySegment.get(segment) ?? []).map(({ node }) => node);
  const segments = [...bySegment.keys()].filter((segment) => segment !== undefined);
  const { name, uplink } = facts;
  return {
    host: { name, ...(uplink === undefined ? {} : { uplink: interfaceView(uplink, facts) }) },
    segments: segments.map((segment) => segmentNode(segment, nodes(segment), facts)),
    unplugged: nodes(undefined),
  };
}

/** Ids are long: the beginning of one will do, if it is no shorter than this. */
const SHORTEST_ID = 4;

export function isMeant(
  { containerId, name }: Pick<AttachmentView, 'containerId' | 'name'>,
  word: string,
): boolean {
  return (
    containerId === word || name === word || (word.length >= SHORTEST_ID && containerId.startsWith(word))
  );
}

/**
 * Only the network of that name, or the containers of that name or id with their networks. Throws NetmoorError('io').
 */
export function narrow(
  networks: readonly NetworkRecord[],
  attachments: readonly AttachmentView[],
  word: string,
): { networks: readonly NetworkRecord[]; attachments: readonly AttachmentView[] } {
  const network = networks.find(({ name }) => name === word);
  if (network !== undefined) return { networks: [network], attachments };
  const meant = attachments.filter((attachment) => isMeant(attachment, word));
  if (meant.length > 0) {
    return {
      networks: networks.filter(({ name }) => meant.some((attachment) => attachment.network === name)),
      attachments: meant,
    };
  }
  const known = [
    ...networks.map(({ name }) => name),
    ...attachments.flatMap((view) => [containerLabel(view), view.containerId]),
  ];
  const near = nearest(word, known);
  const advice =
    near === undefined
      ? '"netmoor ls" lists the containers, "netmoor networks" the networks'
      : `did you mean ${near}?`;
  throw new NetmoorError('unknown-container', `there is no network or container ${word}`, advice);
}
