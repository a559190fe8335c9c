/** Seeded mutation of bytes, so that a failure can be repeated from its seed. */
import { pick } from './random.ts';

const NASTY: readonly number[] = [0, 1, 2, 3, 4, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

function place(random: () => number, { length }: Buffer): number {
  return Math.floor(random() * length);
}

type Mutation = (random: () => number, bytes: Buffer, others: readonly Buffer[]) => Buffer;

const WAYS: readonly Mutation[] = [
  // One byte is another one.
  (random, bytes) => {
    if (bytes.length > 0) bytes[place(random, bytes)] = Math.floor(random() * 256);
    return bytes;
  },
  // One byte is one that lies at a border: of a length, a type, a pointer.
  (random, bytes) => {
    if (bytes.length > 0) bytes[place(random, bytes)] = pick(random, NASTY);
    return bytes;
  },
  // A bit is turned over.
  (random, bytes) => {
    const at = place(random, bytes);
    if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    return bytes;
  },
  // The end is missing.
  (random, bytes) => bytes.subarray(0, place(random, bytes)),
  // A piece is missing.
  (random, bytes) => {
    const from = place(random, bytes);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + Math.floor(random() * 20))]);
  },
  // A piece comes twice.
  (random, bytes) => {
    const from = place(random, bytes);
    const to = from + Math.floor(random() * 60);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  // Bytes that mean nothing are in between.
  (random, bytes) => {
    const at = place(random, bytes);
    const noise = Buffer.from(
      Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)),
    );
    return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
  },
  // The end is another one's.
  (random, bytes, others) => {
    const other = pick(random, others);
    return Buffer.concat([bytes.subarray(0, place(random, bytes)), other.subarray(place(random, other))]);
  },
];

/** A copy of one of them with up to four things changed. */
export function mutateBytes(random: () => number, seeds: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(pick(random, seeds));
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--)
    bytes = Buffer.from(pick(random, WAYS)(random, bytes, seeds));
  return bytes;
}
