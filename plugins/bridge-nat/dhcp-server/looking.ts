/** Which networks there are to serve, in every store of the host; what has ended on them is cleared away in passing. */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import type { World } from '../../../lib/cni/world.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { knownStores } from '../../../lib/mooring/stores.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import type { AttachmentRecord, NetworkRecord } from '../../../ipam/record.ts';
import { KIND } from '../detail.ts';
import { clientOf, whyEnded } from './client.ts';
import type { ServedNetwork } from './client.ts';
import { collectEnded, nextEnd } from './ending.ts';
import { isAbandoned, leaveAbandoned } from './guests.ts';
import { onHost } from './on-host.ts';

/** A network to serve, with what its bridge is now. */
export interface Found extends ServedNetwork {
  /** Of its store. */
  readonly dir: string;
  readonly bridge: {
    readonly index: number;
    readonly mac: string;
    /** Its link-local address; absent where the bridge has no IPv6. */
    readonly linkLocal?: string;
  };
}

export interface Looked {
  readonly found: readonly Found[];
  /** Milliseconds since boot: when the next lease ends. */
  readonly nextEnd: number | null;
  readonly notes: readonly string[];
}

function lookAt(host: Host, dir: string, { name, segment, dhcpServer }: NetworkRecord): Found[] {
  const link = segment === undefined ? undefined : findLink(host.route, segment);
  if (segment === undefined || dhcpServer === undefined || link?.kind !== 'bridge' || !link.mac) return [];
  const own = listAddresses(host.route, link.index).find(
    ({ prefix, scope }) => prefix.address.family === 6 && scope !== 0,
  );
  const linkLocal = own && formatAddress(own.prefix.address);
  const bridge = { index: link.index, mac: link.mac, ...(linkLocal ? { linkLocal } : {}) };
  return [{ dir, name, segment, server: dhcpServer, bridge }];
}

/** Networks that say they are to be served, whose bridge is there; of every store that can be read. */
export async function look(ends: boolean, world: World): Promise<Looked> {
  const found: Found[] = [];
  const notes: string[] = [];
  let next: number | null = null;
  for (const { dir, store } of knownStores(world)) {
    try {
      const served = store.read((tx) => tx.networks()).filter(({ dhcpServer }) => dhcpServer !== undefined);
      if (served.length === 0) continue;
      await onHost(dir, world, (host) => {
        if (ends) notes.push(...collectEnded(host));
        for (const network of served.filter((each) => isAbandoned(host, each)))
          if (leaveAbandoned(host, network.name)) notes.push(`${network.name}: nobody is left on it`);
        const end = ends ? nextEnd(host) : undefined;
        if (end !== undefined) next = Math.min(next ?? end, end);
        found.push(...served.flatMap((network) => lookAt(host, dir, network)));
      });
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      notes.push(`${dir}: ${errorText(error)}`);
    }
  }
  return { found, nextEnd: next, notes };
}

/** How many addresses are leased now. */
export async function countLeases(world: World): Promise<number> {
  let count = 0;
  for (const { store } of knownStores(world)) {
    count += store.read((tx) => tx.attachments({ plugin: KIND })).filter(isBound).length;
  }
  return count;
}

function isBound(record: AttachmentRecord): boolean {
  return clientOf(record)?.state === 'bound' && whyEnded(record) === undefined;
}
