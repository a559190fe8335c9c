/**
 * Reading records of any version. Unknown members are read over and kept, older versions brought to today's shape, and
 * a record that makes no sense, or is of a future version whose shape is another, becomes one that says so: by its key
 * it can be released like any other, and it stands in nobody's way.
 */
import { AddressError, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { DhcpLeaseRecord } from '../dhcp/record.ts';
import { ATTACHMENT, DHCP_LEASE, NETWORK, misfit } from './shape.ts';
import { RECORD_VERSION, formatKey, sameKey } from '../record.ts';
import type { AttachmentKey, AttachmentRecord, NetworkRecord } from '../record.ts';

/** What a driver knows of an attachment without its record. */
export interface AttachmentRow extends AttachmentKey {
  readonly plugin: string;
  readonly segment?: string;
  readonly bootId: string;
}

type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

const STATES: readonly string[] = ['attaching', 'attached', 'detaching'];

function versionIn({ version }: Members): string {
  return typeof version === 'number' && version > RECORD_VERSION ? `version ${version}: ` : '';
}

function unreadable(
  { network, containerId, ifname, ...row }: AttachmentRow,
  value: unknown,
  why: string,
): AttachmentRecord {
  const key = { network, containerId, ifname };
  return {
    version: 0,
    ...key,
    ...row,
    state: 'attached',
    incarnation: readIncarnation(key, value),
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
  if (!STATES.includes(record.state)) return `its state is "${record.state}"`;
  try {
    for (const { address, gateway } of record.addresses) {
      parsePrefix(address);
      if (gateway !== undefined) parseAddress(gateway);
    }
    for (const { hostIp, hostPort, count, to } of record.ports) {
      if (hostIp !== undefined) parseAddress(hostIp);
      if (to !== undefined) parseAddress(to);
      if (!(count >= 1 && hostPort >= 1 && hostPort + count <= 65536))
        return `it publishes ${count} ports from ${hostPort} on`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}

/** The record that a driver has stored as `value`, filed under `row`. */
export function readAttachment(row: AttachmentRow, value: unknown): AttachmentRecord {
  if (!isObject(value)) return unreadable(row, value, 'it is no JSON object');
  const members = value['version'] === undefined ? attachmentFromFirst(value) : value;
  const record = members as unknown as AttachmentRecord;
  const why = misfit(members, ATTACHMENT) ?? contradiction(row, record);
  return why === undefined ? record : unreadable(row, value, `${versionIn(members)}${why}`);
}

/** What `readAttachment` says of it, for far less. */
export function readIncarnation(key: AttachmentKey, value: unknown): string {
  const { incarnation, version, createdAt } = isObject(value) ? value : {};
  if (version === undefined && typeof createdAt === 'number') return String(createdAt);
  return typeof incarnation === 'string' ? incarnation : `unreadable ${formatKey(key)}`;
}

/** The network's record; why it cannot be read, in words, for one that cannot: nothing but messages depends on it. */
export function readNetwork(value: unknown): NetworkRecord | string {
  if (!isObject(value)) return 'it is no JSON object';
  const members = value['version'] === undefined ? networkFromFirst(value) : value;
  const why = misfit(members, NETWORK);
  return why === undefined ? (members as unknown as NetworkRecord) : `${versionIn(members)}${why}`;
}

/** The record of a DHCP client, filed under `key`; why it cannot be read, in words. */
export function readDhcpLease(key: AttachmentKey, value: unknown): DhcpLeaseRecord | string {
  if (!isObject(value)) return 'it is no JSON object';
  const why = misfit(value, DHCP_LEASE);
  if (why !== undefined) return why;
  const record = value as unknown as DhcpLeaseRecord;
  return sameKey(key, record) ? record : `it says it is ${formatKey(record)}`;
}
