/**
 * What macvlan-v6 adds to an attachment's record: enough to remove and verify everything without the config it came
 * from. Its schema is schemas/macvlan-v6-detail.schema.json.
 */
import { unreadableDetail } from '../../lib/mooring/records.ts';
import type { AttachmentRecord, Detail } from '../../ipam/record.ts';
import { validate } from '../../schemas/compiled/macvlan-v6-detail.js';
import type { MacvlanDetail } from '../../schemas/compiled/macvlan-v6-detail.js';

export type { MacvlanDetail };

/** The plugin's name, which its records bear. */
export const KIND = 'macvlan-v6';

export type MacvlanRecord = AttachmentRecord<MacvlanDetail>;

/** The version that is written. */
export const DETAIL_VERSION = 1;

/** Reads what this version kept; unknown members stay. Throws NetmoorError('store') for anything else. */
export function readDetail(stored: Detail): MacvlanDetail {
  const detail: unknown = stored;
  if (validate(detail) && detail.version <= DETAIL_VERSION) return detail;
  throw unreadableDetail(KIND, validate.errors);
}
