/**
 * Reading records of any version. Unknown members are read over and kept, older versions brought to today's shape, and a
 * record that makes no sense, or is of a future version whose shape is another, becomes one that says so: by its key it can
 * be released like any other, and it stands in nobody's way.
 */
import { validate as validateNetwork } from '../../schemas/compiled/network-record.js';
import { validate as validateAttachment } from '../../schemas/compiled/record.js';
import { AddressError, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { RECORD_VERSION, formatKey, sameKey } from '../record.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord } from '../record.ts';

/** What a driver knows of an attachment without its record. */
export interface AttachmentRow extends AttachmentKey {
  readonly plugin: string;
  readonly segment?: string;
  readonly bootId: string;
}

interface SchemaError {
  readonly instancePath: string;
  readonly message?: string;
}

type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function explain(errors: readonly SchemaError[] | null | undefined): string {
  const texts = (errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`.trim());
  return texts.join(', ') || 'is not valid';
}

/** Version 1 had no `version`; `bridge` is `segment` now, and `delegate` stood in the detail. */
function attachmentFromFirst({ bridge, detail, ...members }: Members): Members {
  const { delegate, ...rest } = isObject(detail) ? detail : {};
  return {
    ...members,
    version: RECORD_VERSION,
    incarnation: String(members['createdAt']),
    ...(bridge === undefined ? {} : { segment: bridge }),
    ...(delegate === undefined ? {} : { delegate }),
    detail: isObject(detail) ? rest : detail,
  };
}

function networkFromFirst({ bridge, ...members }: Members): Members {
  return { ...members, version: RECORD_VERSION, ...(bridge === undefined ? {} : { segment: bridge }) };
}

function versionIn({ version }: Members): string {
  return typeof version === 'number' && version > RECORD_VERSION ? `version ${version}: ` : '';
}

function unreadable({ network, containerId, ifname, ...row }: AttachmentRow, why: string): AttachmentRecord {
  return {
    version: 0,
    network,
    containerId,
    ifname,
    ...row,
    state: 'attached',
    incarnation: `unreadable ${network}/${containerId}/${ifname}`,
    createdAt: 0,
    addresses: [],
    ports: [],
    detail: {},
    unreadable: why,
  };
}

/** What the schema cannot say: that addresses are addresses, and that the record is the one it is filed as. */
function contradiction(row: AttachmentRow, record: AttachmentRecord): string | undefined {
  if (!sameKey(row, record)) return `it says it is ${formatKey(record)}`;
  try {
    for (const { address, gateway } of record.addresses) {
      parsePrefix(address);
      if (gateway !== undefined) parseAddress(gateway);
    }
    for (const { hostIp } of record.ports) if (hostIp !== undefined) parseAddress(hostIp);
    return undefined;
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}

/** The record that a driver has stored as `value`, filed under `row`. */
export function readAttachment(row: AttachmentRow, value: unknown): AttachmentRecord {
  if (!isObject(value)) return unreadable(row, 'it is no JSON object');
  const members = value['version'] === undefined ? attachmentFromFirst(value) : value;
  if (!validateAttachment(members))
    return unreadable(row, `${versionIn(members)}${explain(validateAttachment.errors)}`);
  const record = members as unknown as AttachmentRecord;
  const why = contradiction(row, record);
  return why === undefined ? record : unreadable(row, `${versionIn(members)}${why}`);
}

/** What is wrong with a stored network, in words; undefined when it can be read. */
export function networkProblem(value: unknown): string | undefined {
  if (!isObject(value)) return 'is no JSON object';
  const members = value['version'] === undefined ? networkFromFirst(value) : value;
  return validateNetwork(members) ? undefined : `${versionIn(members)}${explain(validateNetwork.errors)}`;
}

/** Undefined for one that cannot be read: nothing but messages depends on what a network's record says. */
export function readNetwork(value: unknown): NetworkRecord | undefined {
  if (networkProblem(value) !== undefined || !isObject(value)) return undefined;
  return (value['version'] === undefined ? networkFromFirst(value) : value) as unknown as NetworkRecord;
}
