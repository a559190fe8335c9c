/**
 * Who of ours has what a server has just leased: a server that forgot its leases, or never knew of a container with a
 * fixed address, gives away what is in use. Of our own we know without asking the link.
 */
import { parsePrefix, sameAddress } from '../../../lib/base/ip.ts';
import type { World } from '../../../lib/cni/world.ts';
import { causeOfDeath } from '../../../lib/mooring/death.ts';
import { hostOf, withSockets } from '../../../lib/mooring/host.ts';
import { knownStores } from '../../../lib/mooring/stores.ts';
import type { NamedStore } from '../../../lib/mooring/stores.ts';
import { formatKey, sameKey } from '../../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../../ipam/record.ts';
import type { KindOf } from './follow.ts';

export interface Question {
  readonly key: AttachmentKey;
  /** With prefix lengths, which do not count. */
  readonly addresses: readonly string[];
}

export interface Taken {
  /** As it was asked for. */
  readonly address: string;
  /** The attachment that has it. */
  readonly by: string;
}

/** Of the same bridge or master, by their records. */
function neighbours(stores: readonly NamedStore[], key: AttachmentKey): [NamedStore, AttachmentRecord][] {
  const own = stores.flatMap(({ store }) => store.read((tx) => tx.attachment(key)) ?? [])[0];
  if (own?.segment === undefined) return [];
  const { plugin, segment } = own;
  return stores.flatMap((named) => {
    const records = named.store.read((tx) => tx.attachments({ plugin, segment }));
    const others = records.filter((record) => !sameKey(record, key) && record.state !== 'detaching');
    return others.map((record): [NamedStore, AttachmentRecord] => [named, record]);
  });
}

/** Those of the addresses that another attachment of ours lives with. */
export async function heldByOthers(
  world: World,
  { key, addresses }: Question,
  kindOf: KindOf,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (const [named, record] of neighbours(knownStores(world), key)) {
    const has = (address: string): boolean =>
      record.addresses.some((each) =>
        sameAddress(parsePrefix(each.address).address, parsePrefix(address).address),
      );
    const theirs = addresses.filter(has);
    if (theirs.length === 0) continue;
    const kind = await kindOf(record.plugin);
    const surroundings = { path: [], environment: {}, note: () => {} };
    const death = await withSockets((sockets) =>
      causeOfDeath(hostOf(sockets, named, world, surroundings), record, kind),
    );
    if (death === undefined) taken.push(...theirs.map((address) => ({ address, by: formatKey(record) })));
  }
  return taken;
}
