/**
 * Two-way descriptions of netlink attributes (linux/netlink.h struct nlattr): numbers in network order (BE, as
 * netfilter has them) or the machine's, nests with the flag NLA_F_NESTED or, as in most of rtnetlink, without.
 *
 * A message is described once, as a struct() of fields; reading and writing both follow from that, so they cannot drift
 * apart. Attributes are written in the order of the description, for nf_tables libnftnl's, so that our bytes can be
 * held against those of nft. Attributes a description does not know are written back behind the known ones.
 */
import { DecodeError, eachAttribute, eachSpan } from './attributes.ts';
import { NLA_F_NESTED } from './uapi.ts';
import { Writer } from './writer.ts';

const NLA_TYPE_MASK = 0x3fff;

/** Writes a payload and reads it back; `get` throws DecodeError and nothing else. */
export interface Codec<T> {
  put(out: Writer, value: T): void;
  get(data: Buffer): T;
}

/** One attribute: its number (linux/netfilter/nf_tables.h) and its payload. */
export interface Field<T> {
  readonly type: number;
  readonly codec: Codec<T>;
}

/** What `codec` makes of a value, as bytes. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const out = new Writer();
  codec.put(out, value);
  return out.written;
}

/** An attribute kept as it came; `type` includes the NLA_F_ flags. */
export interface RawAttribute {
  readonly type: number;
  readonly data: Buffer;
}

export function attribute<T>(out: Writer, type: number, codec: Codec<T>, value: T): void {
  const at = out.open(type);
  codec.put(out, value);
  out.close(at);
}

/** `data` when it has exactly `size` bytes. */
export function sized(data: Buffer, size: number): Buffer {
  if (data.length !== size) throw new DecodeError(`a number of ${data.length} bytes, not ${size}`);
  return data;
}

type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a struct() holds; every attribute is optional, as it is on the wire. */
export type Values<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer T> ? T : never;
} & { readonly unknown?: readonly RawAttribute[] };

export type Decoded<C> = C extends Codec<infer T> ? T : never;

/**
 * Attributes by name. Those that are not known are kept, unless `others` says that they are dropped: what is only read,
 * and of which the kernel tells a lot.
 */
export function struct<F extends Fields>(
  fields: F,
  { others = 'kept' }: { readonly others?: 'kept' | 'dropped' } = {},
): Codec<Values<F>> {
  const ordered = Object.entries(fields);
  const byType = new Map(
    ordered.map(([name, field]) => [field.type & NLA_TYPE_MASK, { name, codec: field.codec }]),
  );
  return {
    put(out, value) {
      const values: Readonly<Record<string, unknown>> = value;
      for (const [name, field] of ordered) {
        if (values[name] !== undefined) attribute(out, field.type, field.codec, values[name]);
      }
      for (const raw of value.unknown ?? []) attribute(out, raw.type, rawBytes, raw.data);
    },
    get(data) {
      const values: Record<string, unknown> = {};
      const unknown: RawAttribute[] = [];
      eachSpan(data, (type, start, end) => {
        const field = byType.get(type & NLA_TYPE_MASK);
        if (field) values[field.name] = field.codec.get(data.subarray(start, end));
        else if (others === 'kept') unknown.push({ type, data: data.subarray(start, end) });
      });
      if (unknown.length > 0) values.unknown = unknown;
      return values as Values<F>;
    },
  };
}

/** Numbers of a C struct, by name: their sizes in bytes, in its order. */
type Header = Readonly<Record<string, 1 | 2 | 4>>;

/** Where C puts them: each at a multiple of its size, the whole filled up to a multiple of four. */
function layOut(header: Header): { numbers: { name: string; size: number; at: number }[]; length: number } {
  let end = 0;
  const numbers = Object.entries(header).map(([name, size]) => {
    const at = Math.ceil(end / size) * size;
    end = at + size;
    return { name, size, at };
  });
  return { numbers, length: Math.ceil(end / 4) * 4 };
}

/** What the messages of rtnetlink are: a struct of numbers in the machine's order, then attributes. */
export function headed<H extends Header, A>(
  what: string,
  header: H,
  attributes: Codec<A>,
): Codec<{ readonly [K in keyof H]: number } & { readonly attributes: A }> {
  type Message = { readonly [K in keyof H]: number } & { readonly attributes: A };
  const { numbers, length } = layOut(header);
  return {
    put(out, message) {
      const bytes = Buffer.alloc(length);
      const values: Readonly<Record<string, number>> = message;
      for (const { name, size, at } of numbers) bytes.writeUIntLE(values[name] ?? 0, at, size);
      out.bytes(bytes);
      attributes.put(out, message.attributes);
    },
    get(data) {
      if (data.length < length) throw new DecodeError(`${what} has ${data.length} bytes`);
      const values: Record<string, unknown> = {};
      for (const { name, size, at } of numbers) values[name] = data.readUIntLE(at, size);
      values['attributes'] = attributes.get(data.subarray(length));
      return values as Message;
    },
  };
}

/** Nests numbered from one, as libnftnl numbers elements; the kernel does not look at the numbers. */
export function numbered<T>(codec: Codec<T>): Codec<readonly T[]> {
  return {
    put(out, values) {
      let number = 0;
      for (const value of values) attribute(out, ++number | NLA_F_NESTED, codec, value);
    },
    get: listOf(1, codec).get,
  };
}

/** Attributes of one type, any number of times. */
export function listOf<T>(type: number, codec: Codec<T>): Codec<readonly T[]> {
  return {
    put(out, values) {
      for (const value of values) attribute(out, type, codec, value);
    },
    get(data) {
      const values: T[] = [];
      eachAttribute(data, (_, payload) => values.push(codec.get(payload)));
      return values;
    },
  };
}

const rawBytes: Codec<Uint8Array> = { put: (out, value) => out.bytes(value), get: (data) => data };

export function bytes(type: number): Field<Uint8Array> {
  return { type, codec: rawBytes };
}

export function u8(type: number): Field<number> {
  return { type, codec: { put: (out, value) => out.u8(value), get: (data) => sized(data, 1).readUInt8(0) } };
}

export function u16be(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u16be(value), get: (data) => sized(data, 2).readUInt16BE(0) },
  };
}

export function u32be(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u32be(value), get: (data) => sized(data, 4).readUInt32BE(0) },
  };
}

/** A signed number, in network order. */
export function s32be(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u32be(value >>> 0), get: (data) => sized(data, 4).readInt32BE(0) },
  };
}

export function u64be(type: number): Field<bigint> {
  return {
    type,
    codec: { put: (out, value) => out.u64be(value), get: (data) => sized(data, 8).readBigUInt64BE(0) },
  };
}

/** A number in the machine's order; so are the next. */
export function u16(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u16(value), get: (data) => sized(data, 2).readUInt16LE(0) },
  };
}

export function u32(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u32(value), get: (data) => sized(data, 4).readUInt32LE(0) },
  };
}

export function s32(type: number): Field<number> {
  return {
    type,
    codec: { put: (out, value) => out.u32(value >>> 0), get: (data) => sized(data, 4).readInt32LE(0) },
  };
}

export function u64(type: number): Field<bigint> {
  return {
    type,
    codec: { put: (out, value) => out.u64(value), get: (data) => sized(data, 8).readBigUInt64LE(0) },
  };
}

/** Up to the NUL, which may be missing. */
function textOf(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end < 0 ? data.length : end);
}

/** Text, written with a NUL behind it (NLA_NUL_STRING). */
export function text(type: number): Field<string> {
  return {
    type,
    codec: {
      put(out, value) {
        out.text(value);
        out.u8(0);
      },
      get: textOf,
    },
  };
}

/** Text, written without a NUL (NLA_STRING). */
export function bareText(type: number): Field<string> {
  return { type, codec: { put: (out, value) => out.text(value), get: textOf } };
}

/** A nest described by another codec. */
export function nest<T>(type: number, codec: Codec<T>): Field<T> {
  return { type: type | NLA_F_NESTED, codec };
}

/** A nest without the flag that says so. */
export function plainNest<T>(type: number, codec: Codec<T>): Field<T> {
  return { type, codec };
}
