/**
 * As much of Protocol Buffers (encoding guide, proto3) as CRI requests need: strings, varints and messages.
 */

const VARINT = 0;
const I64 = 1;
const LENGTH_DELIMITED = 2;
const I32 = 5;

/** A field's number to its value; several values of a repeated field are a list. */
export type Fields = Readonly<Record<number, FieldValue | readonly FieldValue[]>>;
type FieldValue = string | number | Buffer;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function field(number: number, value: FieldValue): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number * 8 + VARINT), varint(value)]);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

export function encodeMessage(fields: Fields): Buffer {
  return Buffer.concat(
    Object.entries(fields).flatMap(([number, value]) =>
      [value].flat().map((each: FieldValue) => field(Number(number), each)),
    ),
  );
}

/** The length-delimited fields of a message by number; the others are passed over. */
export function decodeMessage(message: Buffer): ReadonlyMap<number, readonly Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let offset = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(offset++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const tag = readVarint();
    const kind = tag % 8;
    if (kind === VARINT) readVarint();
    else if (kind === I64 || kind === I32) offset += kind === I64 ? 8 : 4;
    else {
      const length = readVarint();
      const number = Math.floor(tag / 8);
      fields.set(number, [...(fields.get(number) ?? []), message.subarray(offset, offset + length)]);
      offset += length;
    }
  }
  return fields;
}
