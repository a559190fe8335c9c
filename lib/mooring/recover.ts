/** A store that was lost, in whole or in part, is made again from what the kernel has: what lives has an interface. */
import { NetmoorError } from '../base/errors.ts';
import { parsePrefix } from '../base/ip.ts';
import { findLink } from '../netlink/link.ts';
import { noneIsNew } from '../../ipam/lease.ts';
import { RECORD_VERSION, formatKey, sameKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import type { Host } from './host.ts';
import type { Kind } from './kind.ts';

/** What lives, and is on no record of any store. */
export async function findUnrecorded(kind: Kind, host: Host, segment?: string): Promise<AttachmentRecord[]> {
  const { recover } = await kind.sweeping();
  const there = recover(host, host.world, segment);
  if (there.length === 0) return [];
  const isKnown = (reader: StoreReader) => there.map((record) => reader.attachment(record) !== undefined);
  const answers = [
    host.store.read(isKnown),
    ...host.askOthers(
      isKnown,
      there.map(() => false),
    ),
  ];
  // Who was detached between these two looks had an interface at the first, and no record at the second.
  return there.filter(
    (record, index) => answers.every((answer) => answer[index] !== true) && isThere(host, record),
  );
}

/** Whether its interface is still the one that was found. */
function isThere({ route }: Host, { hostIfindex, hostIfname }: AttachmentRecord): boolean {
  return hostIfindex === undefined || findLink(route, hostIfindex)?.name === hostIfname;
}

/** Two cannot hold one address, whatever the kernel shows: who is on record does. */
function isFree(tx: StoreTransaction, { addresses, ports, ...key }: AttachmentRecord): boolean {
  const mine = (owner: AttachmentKey | undefined): boolean => owner === undefined || sameKey(owner, key);
  return (
    addresses.every(
      ({ scope, address }) =>
        scope === undefined || mine(tx.addressOwner(scope, parsePrefix(address).address)),
    ) && ports.every((port) => mine(tx.portOwner(port)))
  );
}

/** Puts it on record, its network as well, unless it is there already or somebody has what it holds. */
export function putBack(kind: Kind, tx: StoreTransaction, record: AttachmentRecord): boolean {
  if (tx.attachment(record) !== undefined || !isFree(tx, record)) return false;
  tx.putAttachment(record);
  // Who else was there, nothing tells.
  for (const { scope } of record.addresses) if (scope !== undefined) noneIsNew(tx, scope);
  const { network, segment, createdAt } = record;
  const subnets = kind.readDetail(record.detail).subnets;
  const known = tx.network(network);
  if (known?.automatic === true) return true;
  tx.putNetwork({
    version: RECORD_VERSION,
    name: network,
    plugin: kind.name,
    ...(segment === undefined ? {} : { segment }),
    subnets: [...new Set([...(known?.subnets ?? []), ...subnets])],
    automatic: false,
    createdAt: known?.createdAt ?? createdAt,
    ...(known?.dhcpServer ? { dhcpServer: known.dhcpServer } : {}),
  });
  return true;
}

/**
 * Puts what lives, and is on no record, on record in this store; returns it. `segment`: of that bridge or master alone.
 */
export async function recoverLost(kind: Kind, host: Host, segment?: string): Promise<AttachmentRecord[]> {
  const lost = await findUnrecorded(kind, host, segment);
  if (lost.length === 0) return [];
  return host.store.write((tx) =>
    lost.filter((record) => isThere(host, record) && putBack(kind, tx, record)),
  );
}

/**
 * Whether anybody was put back. For ADD: the first one of a store on a segment looks whether others are there that the
 * store has forgotten.
 */
export async function recoverBeforeFirst(
  kind: Kind,
  host: Host,
  key: AttachmentKey,
  segment: string,
): Promise<boolean> {
  // On a segment that is not there nobody can be.
  if (host.store.read((tx) => tx.hasOther(key, { segment, plugin: kind.name }))) return false;
  if (!findLink(host.route, segment)) return false;
  const recovered = await recoverLost(kind, host, segment);
  for (const record of recovered.filter((each) => !sameKey(each, key)))
    host.surroundings.note(`${formatKey(record)} lives, and was on no record: it is again`);
  return recovered.length > 0;
}

/**
 * Whether an ADD failed because somebody holds its address whom the store has forgotten; he is on record again then.
 */
export async function recoverAfter(
  kind: Kind,
  host: Host,
  error: unknown,
  segment: string,
): Promise<boolean> {
  if (!(error instanceof NetmoorError) || error.kind !== 'address-taken') return false;
  return (await recoverLost(kind, host, segment)).length > 0;
}
