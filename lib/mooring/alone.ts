/**
 * What is built for all attachments from their records, and what is put back for one: while nobody begins, ends or
 * changes. A process may stand still, or die, between reading and building. Who had come meanwhile, to a table that
 * somebody else had built and a third had taken away since, would not be in this one, and nobody would look again; who
 * had gone would be in it for ever.
 */
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { isCurrent } from './detach.ts';
import { writeAlone } from './host.ts';
import type { Host } from './host.ts';
import type { Kind, MooringConfig, MooringDetail } from './kind.ts';
import { understand } from './records.ts';

class OthersNeeded extends Error {}

/**
 * Runs `work` as far as it needs no others, before it has changed anything that does not bear repetition. False when it
 * does need them.
 */
export function withoutOthers(work: (everyOther: () => never) => void): boolean {
  try {
    work(() => {
      throw new OthersNeeded();
    });
    return true;
  } catch (error) {
    if (error instanceof OthersNeeded) return false;
    throw error;
  }
}

/**
 * The same, and if it does, again from its beginning, with what they need (`read`), in a write transaction of every
 * store. `tx`: where one is under way.
 */
export function withOthers<T>(
  host: Host,
  tx: StoreReader | undefined,
  read: (host: Host, tx: StoreReader) => readonly T[],
  work: (everyOther: () => readonly T[]) => void,
): void {
  if (tx !== undefined) {
    work(() => read(host, tx));
    return;
  }
  if (withoutOthers(work)) return;
  writeAlone(host, (inside, _ask, look) => {
    work(() => {
      const all = read({ ...host, askOthers: look }, inside);
      host.step('attach: others looked up');
      return all;
    });
  });
}

/**
 * Runs `work` for an attachment whose record is final, unless it is being taken down, or was: in a write transaction of
 * every store, of which the host that it is given asks the others.
 */
export function whileAttached<D extends MooringDetail>(
  kind: Pick<Kind<MooringConfig, D>, 'readDetail'>,
  host: Host,
  record: AttachmentRecord<D>,
  work: (host: Host, tx: StoreReader, current: AttachmentRecord<D>) => void,
): void {
  writeAlone(host, (tx, _ask, look) => {
    const current = tx.attachment(record);
    if (current?.state !== 'attached' || !isCurrent(tx, record)) return;
    const read = understand(kind, current);
    if ('known' in read) work({ ...host, askOthers: look }, tx, read.known);
  });
}
