/**
 * Ports that one container publishes through several networks: podman hands all of them to each. The first attachment holds
 * a port; at the others it stands by, and is taken over when the holder is detached.
 */
import { addAttachment } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import type { Host } from './detach.ts';
import { detailOf, rulesOf } from './detail.ts';
import { readable } from './elsewhere.ts';

/** Who holds any of the mapping's ports, other than this attachment. */
function holdersOf(tx: StoreReader, record: AttachmentRecord, port: PortRecord): AttachmentKey[] {
  const holders = Array.from({ length: port.count }, (_, index) =>
    tx.portOwner({ ...port, hostPort: port.hostPort + index }),
  );
  return holders.filter(
    (holder) => holder !== undefined && formatKey(holder) !== formatKey(record),
  ) as AttachmentKey[];
}

/**
 * The record with each of its ports, those standing by included, either claimed or standing by. `patient`: a port of another
 * container is waited for as well, instead of being claimed, which the store refuses.
 */
export function withStandby(tx: StoreReader, record: AttachmentRecord, patient = false): AttachmentRecord {
  const { standby: waiting = [], ...detail } = detailOf(record);
  const waits = (port: PortRecord): boolean =>
    holdersOf(tx, record, port).some((holder) => patient || holder.containerId === record.containerId);
  const all = [...record.ports, ...waiting];
  const standby = all.filter(waits);
  const ports = all.filter((port) => !standby.includes(port));
  return { ...record, ports, detail: { ...detail, ...(standby.length > 0 ? { standby } : {}) } };
}

/** The rules of everything attached but this, in whatever store, for when the tables have to be made anew. */
export function rulesOfOthers(
  tx: StoreReader,
  record: AttachmentKey,
  host: Pick<Host, 'elsewhere'>,
): AttachmentRules[] {
  const here = tx
    .attachments({ plugin: 'bridge-nat' })
    .filter((other) => other.state === 'attached' && formatKey(other) !== formatKey(record));
  return [...here.flatMap(readable), ...host.elsewhere()];
}

/** Inside the transaction that has forgotten an attachment: the container's others take its ports over. */
export function takeOver(
  tx: StoreTransaction,
  host: Pick<Host, 'netfilter' | 'elsewhere'>,
  gone: AttachmentKey,
): void {
  for (const sibling of tx.attachments({ containerId: gone.containerId, plugin: 'bridge-nat' })) {
    if (sibling.state !== 'attached' || detailOf(sibling).standby === undefined) continue;
    const next = withStandby(tx, sibling, true);
    if (next.ports.length === sibling.ports.length) continue;
    tx.putAttachment(next);
    addAttachment(host.netfilter, rulesOf(next), () => rulesOfOthers(tx, next, host));
  }
}
