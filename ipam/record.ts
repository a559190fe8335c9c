/**
 * What the lease store remembers: one record for each attachment of a container to a network, one for each network.
 * The same definitions, as JSON Schemas: schemas/record.schema.json and schemas/network-record.schema.json; how records
 * of other versions are read: ipam/store/reading.ts.
 */

import type { PoolConfig } from './pool.ts';

/** The version that this netmoor writes. 1 had no `version`; it called `segment` "bridge". */
export const RECORD_VERSION = 2;

/** An attachment's identity: the CNI specification's (network name, CNI_CONTAINERID, CNI_IFNAME). */
export interface AttachmentKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** `count` consecutive ports from `hostPort` on, mapped in order to those from `containerPort` on. */
export interface PortRecord {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Absent: every address of the host, both families. "0.0.0.0" or "::": every address of that family. */
  readonly hostIp?: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly count: number;
  /** Of a port that the network's configuration forwards: the container's address that it leads to. */
  readonly to?: string;
}

export interface AddressRecord {
  /** With its prefix length, "10.1.0.2/16". */
  readonly address: string;
  readonly gateway?: string;
  /** The lease scope in the store; absent when a delegated IPAM plugin owns the address. */
  readonly scope?: string;
}

/** The IPAM plugin that gave the addresses, and what it was given, so that they can be given back. */
export interface DelegateRecord {
  readonly type: string;
  /** Its stdin. */
  readonly config: string;
  /** CNI_PATH */
  readonly path: readonly string[];
  /** CNI_ARGS */
  readonly args?: string;
}

/** What the engine was asked for DHCP leases with, beside or instead of an IPAM plugin. */
export interface DhcpRecord {
  /** The configuration on its stdin. */
  readonly config: string;
  /** CNI_ARGS */
  readonly args?: string;
}

/** Who is at work on a record: a process (see lib/system/process.ts), or one request of a process that serves many. */
export interface WorkerRecord {
  readonly pid: number;
  readonly started: string;
  readonly request?: string;
}

/** Where the host's side of an attachment is: who works elsewhere cannot judge it. */
export interface HostRecord {
  /** Stands for the machine (see lib/mooring/vantage.ts). */
  readonly id: string;
  /** "device:inode" of the network namespace. */
  readonly netns: string;
}

/** What a kind of attachment keeps beside the common members, by its own schema, with a version of its own. */
export type Detail = object;

export interface AttachmentRecord<D extends Detail = Detail> extends AttachmentKey {
  readonly version: number;
  /** The kind of attachment: the plugin that made it. */
  readonly plugin: string;
  readonly state: 'attaching' | 'attached' | 'detaching';
  /** Tells this life of the key from an earlier or a later one. */
  readonly incarnation: string;
  readonly bootId: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Absent in records of version 1. */
  readonly host?: HostRecord;
  /** While that is at work, nobody else touches the record, nor what it stands for. */
  readonly worker?: WorkerRecord;
  /** The container's human name, when the runtime tells it. */
  readonly name?: string;
  /** `inode` is "device:inode" of the namespace itself. */
  readonly netns?: { readonly path: string; readonly inode: string };
  /** The attachment's interface on the host, and its index once it has been made. */
  readonly hostIfname?: string;
  readonly hostIfindex?: number;
  /** The interface on the host that attachments share: a bridge, or the master of a macvlan. */
  readonly segment?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly addresses: readonly AddressRecord[];
  readonly ports: readonly PortRecord[];
  readonly delegate?: DelegateRecord;
  readonly dhcp?: DhcpRecord;
  /** The plugin's own: what its DEL, CHECK and re-creation of rules need. */
  readonly detail: D;
  /** Never on disk: why nobody can tell what the record says. Its key, plugin, segment and boot are right even then. */
  readonly unreadable?: string;
}

/** What serving DHCP and router advertisements on a network's segment takes, without its config. */
export interface DhcpServerRecord {
  readonly leaseSeconds: number;
  /** The segment's own addresses, with prefix lengths: server and router to its clients. */
  readonly gateways: readonly string[];
  /** What IPv4 addresses are leased from, as the `ipam` object of a config says it; absent: none are. */
  readonly pool?: PoolConfig;
  /** IPv6 prefixes to announce; absent: none are. */
  readonly prefixes?: readonly string[];
  /** Of both families. */
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns: {
    readonly nameservers: readonly string[];
    readonly domain?: string;
    readonly search: readonly string[];
  };
  readonly mtu?: number;
  /** Names of ports behind which clients are answered, beside those whose other end is on this host. */
  readonly ports: readonly string[];
  /** The detail of a lease's record, but for whose it is. */
  readonly detail: Detail;
}

export interface NetworkRecord {
  readonly version: number;
  readonly name: string;
  readonly plugin: string;
  readonly segment?: string;
  readonly subnets: readonly string[];
  /** True when netmoor picked the subnets itself. */
  readonly automatic: boolean;
  readonly createdAt: number;
  readonly dhcpServer?: DhcpServerRecord;
}

/** "network/container/ifname", as messages name an attachment. */
export function formatKey(key: AttachmentKey): string {
  return `${key.network}/${key.containerId}/${key.ifname}`;
}

/** The attachment that a record, or whatever else bears its key, is of. */
export function bareKey({ network, containerId, ifname }: AttachmentKey): AttachmentKey {
  return { network, containerId, ifname };
}

export function sameKey(a: AttachmentKey, b: AttachmentKey): boolean {
  return a.network === b.network && a.containerId === b.containerId && a.ifname === b.ifname;
}
