/** An attachment as the verbs show it: to programs whole, to people shortened. */
import { parsePrefix } from '../lib/base/ip.ts';
import type { Family } from '../lib/base/ip.ts';
import type { AttachmentRecord, PortRecord } from '../ipam/record.ts';
import type { IsLeased } from './dhcp-view.ts';

/** One item of schemas/cli-ls.schema.json. */
export interface AttachmentView {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly name?: string;
  readonly plugin: string;
  readonly state: AttachmentRecord['state'];
  /** Path of the container's namespace. */
  readonly netns?: string;
  readonly hostIfname?: string;
  /** The bridge, or the master. */
  readonly segment?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly addresses: readonly {
    readonly address: string;
    readonly gateway?: string;
    /** A DHCP server has leased it. */
    readonly dhcp?: true;
  }[];
  readonly ports: readonly PortRecord[];
  /** ISO 8601 */
  readonly createdAt: string;
  /** Why it cannot be in use any more. */
  readonly stale?: string;
  /** Why it cannot be judged from here: another machine's, or of another network namespace. */
  readonly elsewhere?: string;
  /** Why nobody can tell what its record says. */
  readonly unreadable?: string;
}

/** A copy without its undefined members. */
function defined<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

export interface Judgement {
  readonly stale: string | undefined;
  readonly elsewhere?: string | undefined;
  readonly isLeased?: IsLeased;
}

export function viewOf(record: AttachmentRecord, { stale, elsewhere, isLeased }: Judgement): AttachmentView {
  const { network, containerId, ifname, name, plugin, state, netns, hostIfname, segment, mac, mtu, ports } =
    record;
  const addresses = record.addresses.map(({ address, gateway }) =>
    defined<AttachmentView['addresses'][number]>({
      address,
      gateway,
      dhcp: isLeased?.(record, address) === true ? true : undefined,
    }),
  );
  const createdAt = new Date(record.createdAt).toISOString();
  return defined<AttachmentView>({
    network,
    containerId,
    ifname,
    name,
    plugin,
    state,
    netns: netns?.path,
    hostIfname,
    segment,
    mac,
    mtu,
    addresses,
    ports,
    createdAt,
    stale,
    elsewhere,
    unreadable: record.unreadable,
  });
}

/**
 * Ids that are hashes are long: to people, their first twelve digits say which is meant, and every verb understands
 * them.
 */
export function shortenIds(text: string): string {
  return text.replaceAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g, (id) => id.slice(0, 12));
}

/** The container's name, or its id, of which the first twelve digits do when it is a hash. */
export function containerLabel({
  name,
  containerId,
}: Pick<AttachmentRecord, 'name' | 'containerId'>): string {
  return shortenIds(name ?? containerId);
}

/** Where a port without host address is published: "*" for both families. */
function everywhere(addresses: AttachmentView['addresses']): string {
  const families = new Set<Family>(addresses.map(({ address }) => parsePrefix(address).address.family));
  if (families.size > 1) return '*';
  return families.has(6) ? '[::]' : '0.0.0.0';
}

function portRange(first: number, count: number): string {
  return count === 1 ? `${first}` : `${first}-${first + count - 1}`;
}

/** "0.0.0.0:8080 -> 80/tcp" */
export function formatPorts({ ports, addresses }: Pick<AttachmentView, 'ports' | 'addresses'>): string[] {
  return ports.map(({ protocol, hostIp, hostPort, containerPort, count }) => {
    const host = hostIp === undefined ? everywhere(addresses) : hostIp.includes(':') ? `[${hostIp}]` : hostIp;
    return `${host}:${portRange(hostPort, count)} -> ${portRange(containerPort, count)}/${protocol}`;
  });
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
] as const;

/** "3d", "5h", "12m", "40s" */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const unit = UNITS.find(([, length]) => seconds >= length);
  return unit === undefined ? `${seconds}s` : `${Math.floor(seconds / unit[1])}${unit[0]}`;
}
