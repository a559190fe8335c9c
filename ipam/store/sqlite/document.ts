/** The documents in rows, and what the rows say beside them. */
import type { AttachmentRow } from '../reading.ts';
import { keyFrom } from './addresses.ts';
import type { Row } from './row.ts';
import { text } from './row.ts';

/** Text that is no JSON stays text: no schema accepts that. */
export function document(row: Row): unknown {
  const json = text(row, 'record');
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

/** Of a row of the table `attachment`. */
export function attachmentRow(row: Row): AttachmentRow {
  const { segment } = row;
  return {
    ...keyFrom(row),
    plugin: text(row, 'plugin'),
    bootId: text(row, 'boot'),
    ...(typeof segment === 'string' ? { segment } : {}),
  };
}
