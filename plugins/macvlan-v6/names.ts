/** Names that macvlan-v6 gives by itself, always the same for the same thing. */
import { macFrom } from '../../lib/base/mac.ts';
import { sha256 } from '../../lib/base/sha256.ts';
import type { AttachmentKey } from '../../ipam/record.ts';

/** Whose interface it is. `container` is its name where the runtime tells it, so that it outlives the id. */
export interface Whose {
  readonly network: string;
  readonly container: string;
  readonly ifname: string;
}

interface Named {
  readonly containerName: string | undefined;
  readonly podNamespace: string;
}

/** Two pods may bear one name, each in a namespace of its own. */
export function whoseOf(
  { network, containerId, ifname }: AttachmentKey,
  { containerName, podNamespace }: Named,
): Whose {
  if (containerName === undefined) return { network, container: containerId, ifname };
  const container = podNamespace === '' ? containerName : `${podNamespace}/${containerName}`;
  return { network, container, ifname };
}

/**
 * The container's MAC address when nobody asks for another. The machine is in it: two hosts on one LAN may both have a
 * container of this name.
 */
export function containerMacFor(machine: string, { network, container, ifname }: Whose): string {
  return macFrom(['macvlan', machine, network, container, ifname].join('\0'));
}

/**
 * The secret of RFC 7217, section 5, written as the kernel reads it (net.ipv6.conf.*.stable_secret): with it the same
 * container gets the same address on the same prefix for ever.
 */
export function stableSecretFor(machine: string, { network, container, ifname }: Whose): string {
  const bytes = sha256(['stable secret', machine, network, container, ifname].join('\0')).subarray(0, 16);
  return (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
}

/** Above those that kernels give by themselves, and a million of them. */
const LOWEST_INDEX = 0x10000;
const INDEX_BITS = 20;
const INDEX_TRIES = 4;

/**
 * Indexes for the interface of one life of an attachment, of which the first that is free is taken. Nobody can change
 * the index of an interface: by it the attachment's is told from any other, whatever is done to its names and addresses
 * in the container, and whoever gets the number of its namespace later.
 */
export function ifindexesFor(incarnation: string): number[] {
  const bytes = sha256(`macvlan ifindex\0${incarnation}`);
  return Array.from(
    { length: INDEX_TRIES },
    (_, at) => LOWEST_INDEX + (bytes.readUInt32BE(4 * at) >>> (32 - INDEX_BITS)),
  );
}

/** The host's own macvlan on a master (`hostAccess`). */
export function hostIfnameFor(masterIndex: number): string {
  return `nmh${masterIndex}`;
}

export function isHostIfname(name: string): boolean {
  return /^nmh[0-9]+$/.test(name);
}

export function hostMacFor(machine: string, master: string): string {
  return macFrom(['macvlan host', machine, master].join('\0'));
}

/** The segment of networks whose master is the container's own: nobody else is on it. */
export function segmentInContainer(master: string, network: string): string {
  return `${master}@${network}`;
}
