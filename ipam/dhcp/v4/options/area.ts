/**
 * The places in a message where options are: the options field, and on occasion (overload, RFC 2132, section 9.3) the
 * fields `file` and `sname`, in this order (RFC 3396, section 5). An option of more than 255 bytes is told in several
 * parts, one after the other (RFC 3396).
 */
import { DecodeError } from '../../decode-error.ts';
import type { Options } from './known.ts';

export const PAD = 0;
export const END = 255;
/** Code and length. */
const HEAD = 2;
const PART_LIMIT = 255;

/** Adds what is in one place to what was in those before. Without END it ends where the place does. */
export function readArea(area: Buffer, parts: Map<number, Buffer[]>): void {
  for (let at = 0; at < area.length; ) {
    const code = area.readUInt8(at);
    if (code === END) return;
    if (code === PAD) {
      at++;
      continue;
    }
    const length = at + 1 < area.length ? area.readUInt8(at + 1) : area.length;
    const next = at + HEAD + length;
    if (next > area.length)
      throw new DecodeError(`option ${code} of ${length} bytes in ${area.length - at} bytes`);
    const before = parts.get(code);
    const part = area.subarray(at + HEAD, next);
    if (before === undefined) parts.set(code, [part]);
    else before.push(part);
    at = next;
  }
}

export function joined(parts: ReadonlyMap<number, readonly Buffer[]>): Map<number, Buffer> {
  return new Map(
    [...parts].map(([code, [first = Buffer.alloc(0), ...more]]) => [
      code,
      more.length === 0 ? first : Buffer.concat([first, ...more]),
    ]),
  );
}

/** Fills places of these sizes, one after the other; what an option is split by, other than 255, is where one ends. */
class Filling {
  readonly areas: Buffer[][] = [[]];
  readonly #sizes: readonly number[];
  #left: number;

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes;
    this.#left = sizes[0] ?? 0;
  }

  #nextArea(code: number): void {
    const size = this.#sizes[this.areas.length];
    if (size === undefined) throw new RangeError(`option ${code} has no room in the message`);
    this.areas.push([]);
    this.#left = size;
  }

  /** Whole where possible: not every program puts parts together. */
  #fits(length: number): boolean {
    const next = this.#sizes[this.areas.length];
    if (HEAD + length <= this.#left) return true;
    return this.#left > HEAD && (next === undefined || HEAD + length > next);
  }

  add(code: number, value: Buffer): void {
    let at = 0;
    do {
      const whole = Math.min(PART_LIMIT, value.length - at);
      while (!this.#fits(whole)) this.#nextArea(code);
      const length = Math.min(whole, this.#left - HEAD);
      this.areas.at(-1)?.push(Buffer.from([code, length]), value.subarray(at, at + length));
      this.#left -= HEAD + length;
      at += length;
    } while (at < value.length);
  }
}

/**
 * The options' bytes in places of these sizes, as many of them as are needed, without END. Throws RangeError when that
 * is not enough.
 */
export function fillAreas(options: Options, sizes: readonly number[]): Buffer[] {
  const filling = new Filling(sizes);
  for (const [code, value] of options) filling.add(code, value);
  return filling.areas.map((parts) => Buffer.concat(parts));
}
