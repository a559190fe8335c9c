/** Reads executables as files (ELF, System V ABI gABI chapters 4 and 5; symbols by the GNU linker's hash table). */

export const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PROGRAM_HEADER_BYTES = 56;

const DT_NULL = 0n;
const DT_STRTAB = 5n;
export const DT_SYMTAB = 6n;
const DT_GNU_HASH = 0x6ffffef5n;

export const SYMBOL_BYTES = 24;

function gnuHash(name: string): number {
  return Buffer.from(name).reduce((hash, byte) => (Math.imul(hash, 33) + byte) >>> 0, 5381);
}

export interface Segment {
  /** Where its program header is in the file. */
  readonly header: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

export interface DynamicEntry {
  readonly at: number;
  readonly tag: bigint;
  readonly value: number;
}

/** An executable as a file: 64-bit little-endian ELF, dynamically linked. */
export class Executable {
  readonly file: Buffer;
  readonly segments: readonly Segment[];
  readonly dynamic: readonly DynamicEntry[];

  constructor(file: Buffer) {
    this.file = file;
    if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
      throw new Error('not a 64-bit little-endian ELF file');
    const headers = Number(file.readBigUInt64LE(32));
    this.segments = Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
      const header = headers + index * PROGRAM_HEADER_BYTES;
      return {
        header,
        type: file.readUInt32LE(header),
        flags: file.readUInt32LE(header + 4),
        offset: Number(file.readBigUInt64LE(header + 8)),
        address: Number(file.readBigUInt64LE(header + 16)),
        size: Number(file.readBigUInt64LE(header + 32)),
      };
    });
    this.dynamic = this.#readDynamic();
  }

  #readDynamic(): DynamicEntry[] {
    const segment = this.segments.find(({ type }) => type === PT_DYNAMIC);
    if (segment === undefined) throw new Error('not dynamically linked');
    const entries = Array.from({ length: segment.size / 16 }, (_, index) => {
      const at = segment.offset + index * 16;
      return { at, tag: this.file.readBigUInt64LE(at), value: Number(this.file.readBigUInt64LE(at + 8)) };
    });
    return entries.slice(0, entries.findIndex(({ tag }) => tag === DT_NULL) + 1);
  }

  entry(tag: bigint): DynamicEntry {
    const found = this.dynamic.find((entry) => entry.tag === tag);
    if (found === undefined) throw new Error(`no dynamic entry of tag ${tag}`);
    return found;
  }

  /** The offset in the file of what is mapped at an address. */
  offsetOf(address: number): number {
    const within = ({ type, address: start, size }: Segment): boolean =>
      type === PT_LOAD && address >= start && address < start + size;
    const segment = this.segments.find(within);
    if (segment === undefined) throw new Error(`address 0x${address.toString(16)} is not in the file`);
    return address - segment.address + segment.offset;
  }

  text(index: number): string {
    const start = this.offsetOf(this.entry(DT_STRTAB).value) + index;
    return this.file.toString('latin1', start, this.file.indexOf(0, start));
  }

  /**
   * The offset in the file of a function that a symbol names, by the hash table of the GNU linker (DT_GNU_HASH: four
   * words, a Bloom filter, buckets, chains whose last word is odd). Throws when there is none of that name.
   */
  symbol(name: string): number {
    const { file } = this;
    const table = this.offsetOf(this.entry(DT_GNU_HASH).value);
    const buckets = file.readUInt32LE(table);
    const first = file.readUInt32LE(table + 4);
    const start = table + 16 + file.readUInt32LE(table + 8) * 8;
    const chains = start + buckets * 4;
    const symbols = this.offsetOf(this.entry(DT_SYMTAB).value);
    let index = file.readUInt32LE(start + (gnuHash(name) % buckets) * 4);
    for (let more = index >= first; more; index += 1) {
      const symbol = symbols + index * SYMBOL_BYTES;
      if (this.text(file.readUInt32LE(symbol)) === name)
        return this.offsetOf(Number(file.readBigUInt64LE(symbol + 8)));
      more = (file.readUInt32LE(chains + (index - first) * 4) & 1) === 0;
    }
    throw new Error(`no symbol ${name}`);
  }
}
