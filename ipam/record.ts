/**
 * What the lease store remembers: one record for each attachment of a container to a network, one for each network.
 * The same definitions, as JSON Schemas: schemas/record.schema.json and schemas/network-record.schema.json.
 */

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
}

export interface AddressRecord {
  /** With its prefix length, "10.1.0.2/16". */
  readonly address: string;
  readonly gateway?: string;
  /** The lease scope in the store; absent when a delegated IPAM plugin owns the address. */
  readonly scope?: string;
}

export interface AttachmentRecord extends AttachmentKey {
  readonly plugin: string;
  readonly state: 'attaching' | 'attached' | 'detaching';
  readonly bootId: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The process that is attaching it: while that lives, an unfinished record is not abandoned. */
  readonly worker?: { readonly pid: number; readonly started: string };
  /** The container's human name, when the runtime tells it. */
  readonly name?: string;
  /** `inode` is "device:inode" of the namespace itself. */
  readonly netns?: { readonly path: string; readonly inode: string };
  readonly hostIfname?: string;
  readonly bridge?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly addresses: readonly AddressRecord[];
  readonly ports: readonly PortRecord[];
  /** The plugin's own: what its DEL, CHECK and re-creation of rules need. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface NetworkRecord {
  readonly name: string;
  readonly plugin: string;
  readonly bridge?: string;
  readonly subnets: readonly string[];
  /** True when netmoor picked the subnets itself. */
  readonly automatic: boolean;
  readonly createdAt: number;
}

/** "network/container/ifname", as messages name an attachment. */
export function formatKey(key: AttachmentKey): string {
  return `${key.network}/${key.containerId}/${key.ifname}`;
}
