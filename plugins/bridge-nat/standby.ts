/**
 * Ports that one container publishes through several networks: podman hands all of them to each. The first attachment
 * holds a port; at the others it stands by, and is taken over when the holder is detached.
 */
import { withOthers, withoutOthers } from '../../lib/mooring/alone.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { knownRecords } from '../../lib/mooring/records.ts';
import { whyElsewhere } from '../../lib/mooring/vantage.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import { sameKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { KIND, readDetail, rulesOf } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';

/** Who holds any of the mapping's ports, other than this attachment. */
function holdersOf(tx: StoreReader, record: AttachmentKey, port: PortRecord): AttachmentKey[] {
  return tx.portOwners(port).filter((holder) => !sameKey(holder, record));
}

/**
 * The record with each of its ports, those standing by included, either claimed or standing by. `patient`: a port of
 * another container is waited for as well, instead of being claimed, which the store refuses.
 */
export function withStandby(tx: StoreReader, record: BridgeNatRecord, patient = false): BridgeNatRecord {
  const { standby: waiting = [], ...detail } = record.detail;
  const waits = (port: PortRecord): boolean =>
    holdersOf(tx, record, port).some((holder) => patient || holder.containerId === record.containerId);
  const all = [...record.ports, ...waiting];
  const standby = all.filter(waits);
  const ports = all.filter((port) => !standby.includes(port));
  return { ...record, ports, detail: { ...detail, ...(standby.length > 0 ? { standby } : {}) } };
}

function ownRecords(records: readonly AttachmentRecord[]): BridgeNatRecord[] {
  return knownRecords({ name: KIND, readDetail }, records);
}

/** The rules of everything attached but this, in all stores of the host, for when the tables have to be made anew. */
export function rulesOfOthers(tx: StoreReader, host: Host, record: AttachmentKey): AttachmentRules[] {
  // Those of another namespace, of a host of the same store, have their tables there.
  const isHere = (other: BridgeNatRecord): boolean =>
    other.state === 'attached' && whyElsewhere(other, host.world) === undefined;
  const attached = (reader: StoreReader): BridgeNatRecord[] =>
    ownRecords(reader.attachments({ plugin: KIND })).filter(isHere);
  const own = attached(tx).filter((other) => !sameKey(other, record));
  return [own, ...host.askOthers(attached, [])].flat().map(rulesOf);
}

/** Runs `work`, which may have to build the tables; `tx` where a transaction is under way. */
export function besideOthers(
  host: Host,
  tx: StoreReader | undefined,
  record: BridgeNatRecord,
  work: (everyOther: () => readonly AttachmentRules[]) => void,
): void {
  withOthers(host, tx, (locked, inside) => rulesOfOthers(inside, locked, record), work);
}

/** Writes the rules of a record that has got ports to what is there of it. */
export function extendRules(host: Host, tx: StoreReader | undefined, record: BridgeNatRecord): void {
  besideOthers(host, tx, record, (everyOther) => addAttachment(host.netfilter, rulesOf(record), everyOther));
}

/**
 * The same inside a transaction of the host's own store alone: tables that have to be built are left to whoever assures
 * himself of his rules after it.
 */
export function extendStanding(host: Host, record: BridgeNatRecord): void {
  withoutOthers((everyOther) => addAttachment(host.netfilter, rulesOf(record), everyOther));
}

/** Inside the transaction that has forgotten an attachment: the container's others take its ports over. */
export function takeOver(tx: StoreTransaction, host: Host, gone: AttachmentKey): void {
  for (const sibling of ownRecords(tx.attachments({ containerId: gone.containerId, plugin: KIND }))) {
    if (sibling.state !== 'attached' || sibling.detail.standby === undefined) continue;
    // Its rules are not in this namespace, or on this machine: there is nothing to write them to.
    if (whyElsewhere(sibling, host.world) !== undefined) continue;
    const next = withStandby(tx, sibling, true);
    if (next.ports.length === sibling.ports.length) continue;
    tx.putAttachment(next);
    extendRules(host, tx, next);
  }
}
