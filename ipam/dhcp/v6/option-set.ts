/**
 * A set of options by name, described once for reading and writing.
 *
 * Names keep the order of the wire, so that most of what was read is written byte for byte as it was. Of an option that
 * may come once, the first counts. What a set does not know is kept as bytes, and so is an option that only informs and
 * cannot be read: nobody loses an address for a bad search domain.
 */
import { DecodeError } from '../decode-error.ts';
import { hexBytes } from './option.ts';
import type { OptionType } from './option.ts';

/** An option as it came; `data` in hexadecimal. */
export interface RawOption {
  readonly code: number;
  readonly data: string;
}

/** `often`: a list of its values; `informs`: a bad one is kept as bytes instead of refusing the message. */
interface Field<T> {
  readonly type: OptionType<unknown>;
  readonly often?: boolean;
  readonly informs?: boolean;
  /** Never there: carries T. */
  readonly value?: T;
}

type Fields = Readonly<Record<string, Field<unknown>>>;

export type OptionValues<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer T> ? T : never;
} & { readonly others?: readonly RawOption[] };

/** Options inside a message, or inside another option. */
export interface OptionSet<V> {
  put(values: V): Buffer;
  /** Throws DecodeError. `budget` is what all sets of a message may have together. */
  get(data: Buffer, budget: Budget): V;
}

export type Values<S> = S extends OptionSet<infer V> ? V : never;

/** How many options more a message may have. */
export class Budget {
  #left: number;

  constructor(options: number) {
    this.#left = options;
  }

  spend(): void {
    if (this.#left-- <= 0) throw new DecodeError('too many options');
  }
}

/** One that may come once, and can make a message unreadable. */
export function once<T>(type: OptionType<T>): Field<T> {
  return { type: type as OptionType<unknown> };
}

export function often<T>(type: OptionType<T>): Field<readonly T[]> {
  return { type: type as OptionType<unknown>, often: true };
}

export function informs<T>(type: OptionType<T>): Field<T> {
  return { type: type as OptionType<unknown>, informs: true };
}

export function informOften<T>(type: OptionType<T>): Field<readonly T[]> {
  return { type: type as OptionType<unknown>, often: true, informs: true };
}

/** Reads from the wire: number and length of 16 bits each, then as many bytes. */
function eachOption(data: Buffer, budget: Budget, visit: (code: number, data: Buffer) => void): void {
  for (let at = 0; at < data.length; ) {
    budget.spend();
    if (data.length - at < 4) throw new DecodeError(`${data.length - at} bytes are no option`);
    const from = at + 4;
    const to = from + data.readUInt16BE(at + 2);
    if (to > data.length) throw new DecodeError(`an option ends at ${to} of ${data.length} bytes`);
    visit(data.readUInt16BE(at), data.subarray(from, to));
    at = to;
  }
}

function option(code: number, data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
}

/** Types whose own options count as the message's take its budget. */
export interface NestingType<T> extends OptionType<T> {
  within(data: Buffer, budget: Budget): T;
}

function decoded({ type, informs = false }: Field<unknown>, data: Buffer, budget: Budget): unknown {
  try {
    return 'within' in type ? (type as NestingType<unknown>).within(data, budget) : type.get(data);
  } catch (error) {
    if (informs && error instanceof DecodeError) return undefined;
    throw error;
  }
}

function append(values: Record<string, unknown>, name: string, value: unknown): void {
  const list = values[name];
  if (Array.isArray(list)) list.push(value);
  else values[name] = [value];
}

function read(byCode: ReadonlyMap<number, readonly [string, Field<unknown>]>, data: Buffer, budget: Budget) {
  const values: Record<string, unknown> = {};
  const unreadable = new Set<number>();
  eachOption(data, budget, (code, payload) => {
    const [name, field] = byCode.get(code) ?? [];
    if (name === undefined || field === undefined) {
      append(values, 'others', { code, data: payload.toString('hex') });
      return;
    }
    if (!field.often && (name in values || unreadable.has(code))) return;
    const value = decoded(field, payload, budget);
    if (value === undefined) {
      unreadable.add(code);
      append(values, 'others', { code, data: payload.toString('hex') });
    } else if (field.often) append(values, name, value);
    else values[name] = value;
  });
  return values;
}

function write(fields: Fields, values: Readonly<Record<string, unknown>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(values)) {
    const field = fields[name];
    if (value === undefined) continue;
    if (name === 'others') {
      for (const { code, data } of value as readonly RawOption[]) parts.push(option(code, hexBytes(data)));
    } else if (field === undefined) throw new RangeError(`no option is called ${name}`);
    else
      for (const each of field.often ? (value as readonly unknown[]) : [value])
        parts.push(option(field.type.code, field.type.put(each)));
  }
  return Buffer.concat(parts);
}

export function optionSet<F extends Fields>(fields: F): OptionSet<OptionValues<F>> {
  const byCode = new Map(Object.entries(fields).map((entry) => [entry[1].type.code, entry]));
  return {
    put: (values) => write(fields, values),
    get: (data, budget) => read(byCode, data, budget) as OptionValues<F>,
  };
}
