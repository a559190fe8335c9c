/**
 * Names of hosts and domains as DHCPv6 writes them (RFC 9915, section 10): RFC 1035, section 3.1, never compressed.
 */
import { DecodeError } from '../decode-error.ts';

/** RFC 1035, section 2.3.4; a name without the dot at its end. */
const LABEL_LIMIT = 63;
const NAME_LIMIT = 253;
/** RFC 1123, section 2.1, and the underscore, which names of hosts have in the wild. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/i;

export interface Labels {
  readonly labels: readonly string[];
  /** Whether the empty label ended it; without one it is only part of a name (RFC 4704, section 4.2). */
  readonly whole: boolean;
  /** Where the next name begins. */
  readonly next: number;
}

/** The labels from `at` on; throws DecodeError. */
export function labelsAt(data: Buffer, at: number): Labels {
  const labels: string[] = [];
  let from = at;
  while (from < data.length) {
    const length = data.readUInt8(from);
    if (length === 0) return { labels, whole: true, next: from + 1 };
    const next = from + 1 + length;
    if (length > LABEL_LIMIT || next > data.length) throw new DecodeError(`a label of ${length} bytes`);
    labels.push(data.toString('latin1', from + 1, next));
    from = next;
  }
  return { labels, whole: false, next: from };
}

/** Whether these can be written as text, and are fit for resolv.conf. */
export function isHostName(labels: readonly string[]): boolean {
  return (
    labels.length > 0 && labels.join('.').length <= NAME_LIMIT && labels.every((label) => LABEL.test(label))
  );
}

/** "a.example" as bytes, without the empty label at its end; throws RangeError for what is no name of a host. */
export function nameBytes(name: string): Buffer {
  const labels = name.split('.');
  if (!isHostName(labels) || labels.some((label) => label.length > LABEL_LIMIT))
    throw new RangeError(`not a domain name: ${JSON.stringify(name.slice(0, 64))}`);
  return Buffer.concat(
    labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
  );
}

/** One whole name, and nothing behind it; throws DecodeError. */
export function wholeName(data: Buffer): string {
  const { labels, whole, next } = labelsAt(data, 0);
  if (!whole || next !== data.length || !isHostName(labels)) throw new DecodeError('not one domain name');
  return labels.join('.');
}
