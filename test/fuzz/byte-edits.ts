/** Real bytes with a few edits, as an arbitrary: what fails is shrunk to the fewest and simplest edits that fail. */
import fc from 'fast-check';
import { edged } from './properties.ts';

interface Edit {
  /** Modulo the length. */
  readonly at: number;
  readonly what: 'cut' | 'remove' | 'repeat' | 'byte' | 'length' | 'insert' | 'bit';
  readonly count: number;
  readonly value: number;
  readonly noise: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(4095),
  what: fc.constantFrom('byte', 'bit', 'length', 'cut', 'remove', 'repeat', 'insert'),
  count: fc.integer({ min: 1, max: 40 }),
  value: edged(16),
  noise: fc.uint8Array({ maxLength: 24 }),
});

type Way = (bytes: Buffer, at: number, edit: Edit) => Buffer;

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) change(copy);
  return copy;
}

const WAYS: Readonly<Record<Edit['what'], Way>> = {
  cut: (bytes, at) => bytes.subarray(0, at),
  remove: (bytes, at, { count }) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]),
  repeat: (bytes, at, { count }) => Buffer.concat([bytes.subarray(0, at + count), bytes.subarray(at)]),
  insert: (bytes, at, { noise }) => Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]),
  byte: (bytes, at, { value }) => changed(bytes, (copy) => copy.writeUInt8(value & 0xff, at)),
  bit: (bytes, at, { value }) => changed(bytes, (copy) => (copy[at] = (copy[at] ?? 0) ^ (1 << (value % 8)))),
  // Where an attribute's length may be.
  length: (bytes, at, { value }) => {
    const aligned = at - (at % 4);
    return changed(bytes, (copy) => void (aligned + 2 <= copy.length && copy.writeUInt16LE(value, aligned)));
  },
};

/** A copy of one of them with up to `most` edits. */
export function editedBytes(seeds: readonly Buffer[], most = 4): fc.Arbitrary<Buffer> {
  const edits = fc.array(edit, { maxLength: most });
  return fc
    .tuple(fc.constantFrom(...seeds), edits)
    .map(([seed, list]) =>
      list.reduce(
        (bytes, each) => WAYS[each.what](bytes, bytes.length === 0 ? 0 : each.at % bytes.length, each),
        seed,
      ),
    );
}

/** In memory of their own, with other bytes right behind them, which are none of them. */
export function guarded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc(64, 0xa5)]).subarray(0, data.length);
}
