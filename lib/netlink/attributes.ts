/** Netlink attributes (linux/netlink.h struct nlattr): reading them with bounds. Writing goes through the netlink package's AttrStream. */
import { parseAttributes } from './structs.ts';

export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** The payload of a string attribute: with its terminator. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** The attributes of one message or nest by type (NLA_TYPE_MASK applied); of repeated types the last. Unknown ones are kept. */
export class Attributes {
  readonly raw: ReadonlyMap<number, Buffer>;

  constructor(data: Buffer) {
    const raw = new Map<number, Buffer>();
    try {
      parseAttributes(data, ({ type, data: value }) => raw.set(type, value as Buffer));
    } catch (error) {
      throw new DecodeError(`malformed netlink attributes: ${(error as Error).message}`);
    }
    this.raw = raw;
  }

  bytes(type: number): Buffer | undefined {
    return this.raw.get(type);
  }

  nested(type: number): Attributes | undefined {
    const value = this.raw.get(type);
    return value && new Attributes(value);
  }

  #sized(type: number, size: number): Buffer | undefined {
    const value = this.raw.get(type);
    if (value !== undefined && value.length < size) {
      throw new DecodeError(`attribute ${type} has ${value.length} bytes, not ${size}`);
    }
    return value;
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.readUInt8(0);
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.readUInt16LE(0);
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.readUInt32LE(0);
  }

  u32be(type: number): number | undefined {
    return this.#sized(type, 4)?.readUInt32BE(0);
  }

  u64be(type: number): bigint | undefined {
    return this.#sized(type, 8)?.readBigUInt64BE(0);
  }

  /** A NUL-terminated string; the terminator may be missing (NLA_STRING). */
  string(type: number): string | undefined {
    const value = this.raw.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return value.toString('utf8', 0, end < 0 ? value.length : end);
  }
}
