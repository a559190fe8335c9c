/** Domain names on the wire (RFC 1035, sections 3.1 and 4.1.4): labels, and pointers to what came before. */
import { DecodeError } from '../../decode-error.ts';

const LABEL_LIMIT = 63;
const POINTER = 0xc0;
/** Pointers have 14 bits. */
const REACH = 1 << 14;
/** Of a name on the wire, its end included. */
const NAME_LIMIT = 255;

interface Place {
  readonly labels: readonly string[];
  /** Behind the name, where it began. */
  readonly next: number;
}

/** Where a pointer at `at` leads: always back before `limit`, so that no name is without end. */
function target(bytes: Buffer, at: number, limit: number): number {
  if (at + 2 > bytes.length) throw new DecodeError('half a pointer');
  const to = bytes.readUInt16BE(at) & (REACH - 1);
  if (to >= limit) throw new DecodeError(`a pointer from ${at} to ${to}`);
  return to;
}

/** The name at `at`; pointers count from the beginning of `bytes`. Throws DecodeError. */
export function readName(bytes: Buffer, at: number): Place {
  const labels: string[] = [];
  let next: number | undefined;
  let size = 1;
  let limit = at;
  for (let from = at; from < bytes.length; ) {
    const length = bytes.readUInt8(from);
    if (length === 0) return { labels, next: next ?? from + 1 };
    if (length >= POINTER) {
      next ??= from + 2;
      from = target(bytes, from, limit);
      limit = from;
      continue;
    }
    size += 1 + length;
    if (length > LABEL_LIMIT || size > NAME_LIMIT) throw new DecodeError(`a label of ${length} bytes`);
    if (from + 1 + length > bytes.length) throw new DecodeError('a label beyond the end');
    labels.push(bytes.toString('latin1', from + 1, from + 1 + length));
    from += 1 + length;
  }
  throw new DecodeError('a name without end');
}

function labelBytes(label: string): Buffer {
  const bytes = Buffer.from(label, 'latin1');
  if (bytes.length === 0 || bytes.length > LABEL_LIMIT)
    throw new RangeError(`a label of ${bytes.length} bytes`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/**
 * The bytes of a name at place `at`. `known`: ends of names and where they have been written; new ones are added.
 * Throws RangeError for what is no name.
 */
export function nameBytes(labels: readonly string[], at: number, known?: Map<string, number>): Buffer {
  const parts: Buffer[] = [];
  let place = at;
  for (const [index, label] of labels.entries()) {
    const rest = labels.slice(index).join('.');
    const before = known?.get(rest);
    if (before !== undefined)
      return Buffer.concat([...parts, Buffer.from([POINTER | (before >>> 8), before & 0xff])]);
    if (place < REACH) known?.set(rest, place);
    const bytes = labelBytes(label);
    parts.push(bytes);
    place += bytes.length;
  }
  if (place + 1 - at > NAME_LIMIT) throw new RangeError(`a name of ${place + 1 - at} bytes`);
  return Buffer.concat([...parts, Buffer.alloc(1)]);
}
