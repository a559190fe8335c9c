/** Records of one kind: understanding what they keep, and what else there is beside them. */
import { NetmoorError, errorText } from '../base/errors.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { AttachmentFilter, StoreReader } from '../../ipam/store/store.ts';
import type { Kind, Last, MooringConfig, MooringDetail } from './kind.ts';
import type { Ask } from './stores.ts';

/** The record with its detail as the kind reads it; without, it says why in `unreadable`. */
export function understand<D extends MooringDetail>(
  kind: Pick<Kind<MooringConfig, D>, 'readDetail'>,
  record: AttachmentRecord,
): { readonly known: AttachmentRecord<D> } | { readonly unreadable: string } {
  if (record.unreadable !== undefined) return { unreadable: record.unreadable };
  try {
    return { known: { ...record, detail: kind.readDetail(record.detail) } };
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'store') return { unreadable: errorText(error) };
    throw error;
  }
}

/** For a detail that a kind's schema does not know, or, without `problems`, that is of a newer version. */
export function unreadableDetail(
  kind: string,
  problems: readonly { readonly instancePath: string; readonly message?: string }[] | null | undefined,
): NetmoorError {
  const [problem] = problems ?? [];
  const why = problem
    ? `${problem.instancePath} ${problem.message ?? ''}`.trim()
    : 'it is of a newer version';
  return new NetmoorError(
    'store',
    `what ${kind} keeps of it cannot be read: ${why}`,
    'use the version of netmoor that wrote it, or detach it',
  );
}

/** Those of the kind that can be understood. */
export function knownRecords<D extends MooringDetail>(
  kind: Pick<Kind<MooringConfig, D>, 'name' | 'readDetail'>,
  records: readonly AttachmentRecord[],
): AttachmentRecord<D>[] {
  return records.flatMap((record) => {
    if (record.plugin !== kind.name) return [];
    const read = understand(kind, record);
    return 'known' in read ? [read.known] : [];
  });
}

/**
 * Whether an attachment is the last of its kind in its network, on its segment, at all; in every store of the host,
 * since what is shared in the kernel is shared by all. A store that cannot be read may hold anything.
 */
export function lastOf(
  tx: StoreReader,
  ask: Ask,
  { name }: Pick<Kind, 'name'>,
  record: AttachmentKey & Pick<AttachmentRecord, 'segment'>,
): Last {
  const { segment } = record;
  const filters: AttachmentFilter[] = [
    { network: record.network },
    ...(segment === undefined ? [] : [{ segment }]),
    {},
  ];
  const sole = (reader: StoreReader): boolean[] =>
    filters.map((filter) => !reader.hasOther(record, { ...filter, plugin: name }));
  const own = sole(tx);
  const unknown = filters.map(() => false);
  const answers = own.includes(true) ? [own, ...ask(sole, unknown)] : [own];
  const last = filters.map((_, index) => answers.every((answer) => answer[index] === true));
  const [ofNetwork = false, ...rest] = last;
  return { ofNetwork, onSegment: segment !== undefined && rest[0] === true, ofAll: rest.at(-1) === true };
}
