/**
 * The store's invariants, one function for CHECK, GC, doctor and the tests: records are valid, and what is claimed is
 * exactly what the records say. Differences come in words, [] when there are none.
 */
import { AddressError, formatAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { AttachmentKey, AttachmentRecord } from '../record.ts';
import { formatKey } from '../record.ts';
import { claimOf, formatClaim } from './claim.ts';
import type { StoreContents, StoreReader } from './store.ts';
import { readAttachment, readDhcpLease, readNetwork } from './reading.ts';
import { validate as validateDhcpLease } from '../../schemas/compiled/dhcp-lease.js';
import { validate as validateNetwork } from '../../schemas/compiled/network-record.js';
import type { SchemaError } from '../../schemas/compiled/record.js';
import { validate as validateAttachment } from '../../schemas/compiled/record.js';

function explain(errors: readonly SchemaError[] | null | undefined): string {
  const texts = (errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`.trim());
  return texts.join(', ') || 'is not valid';
}

interface Claims {
  /** What the records say is held, each with its attachment. */
  readonly addresses: Map<string, string>;
  readonly ports: Map<string, string>;
}

function gather(record: AttachmentRecord, claims: Claims): string[] {
  const name = formatKey(record);
  const differences: string[] = [];
  const note = (claimed: Map<string, string>, what: string): void => {
    const other = claimed.get(what);
    if (other !== undefined) differences.push(`${what} is in the records of both ${other} and ${name}`);
    claimed.set(what, name);
  };
  try {
    for (const { scope, address } of record.addresses) {
      if (scope !== undefined)
        note(claims.addresses, `${formatAddress(parsePrefix(address).address)} in ${scope}`);
    }
    for (const port of record.ports) note(claims.ports, formatClaim(claimOf(port)));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    differences.push(`the record of ${name}: ${error.message}`);
  }
  return differences;
}

/** What the records say is held against what the tables say is. */
function compare(
  kind: string,
  recorded: Map<string, string>,
  claimed: Map<string, string | undefined>,
  unreadable: ReadonlySet<string>,
): string[] {
  const differences: string[] = [];
  for (const [what, owner] of claimed) {
    if (owner === undefined) differences.push(`${kind} ${what} is held by an attachment that does not exist`);
    else if (recorded.get(what) !== owner && !unreadable.has(owner))
      differences.push(`${kind} ${what} is held by ${owner}, whose record has it not`);
  }
  for (const [what, owner] of recorded) {
    if (!claimed.has(what)) differences.push(`${kind} ${what} is in the record of ${owner}, but not claimed`);
  }
  return differences;
}

/** Compares the store with itself; "10.1.0.9 in home is held by an attachment that does not exist" and the like. */
export function checkContents(contents: StoreContents): string[] {
  const claims: Claims = { addresses: new Map(), ports: new Map() };
  const differences: string[] = [];
  const unreadable = new Set<string>();
  for (const { row, record } of contents.attachments) {
    const read = readAttachment(row, record);
    if (read.unreadable === undefined) {
      if (!validateAttachment(read))
        differences.push(`the record of ${formatKey(row)}: ${explain(validateAttachment.errors)}`);
      differences.push(...gather(read, claims));
    } else {
      unreadable.add(formatKey(row));
      differences.push(`the record of ${formatKey(row)} cannot be read: ${read.unreadable}`);
    }
  }
  for (const { name, record } of contents.networks) {
    const read = readNetwork(record);
    if (typeof read === 'string') differences.push(`the record of network ${name} cannot be read: ${read}`);
    else if (!validateNetwork(read))
      differences.push(`the record of network ${name}: ${explain(validateNetwork.errors)}`);
  }
  for (const { key, record } of contents.dhcpLeases) {
    const read = readDhcpLease(key, record);
    const name = `the DHCP lease of ${formatKey(key)}`;
    if (typeof read === 'string') differences.push(`${name} cannot be read: ${read}`);
    else if (!validateDhcpLease(read)) differences.push(`${name}: ${explain(validateDhcpLease.errors)}`);
  }
  const owner = (key: AttachmentKey | undefined): string | undefined => key && formatKey(key);
  const addresses = new Map(
    contents.addresses.map((row) => [`${formatAddress(row.address)} in ${row.scope}`, owner(row.owner)]),
  );
  const ports = new Map(contents.ports.map((row) => [formatClaim(row.claim), owner(row.owner)]));
  differences.push(
    ...compare('address', claims.addresses, addresses, unreadable),
    ...compare('', claims.ports, ports, unreadable),
  );
  return differences.map((text) => text.trim());
}

/** `store.read(checkStore)` */
export function checkStore(reader: StoreReader): string[] {
  return [...checkContents(reader.contents()), ...reader.bookkeeping()];
}
