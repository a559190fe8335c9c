/** Writing netlink attributes and messages (linux/netlink.h struct nlattr, struct nlmsghdr). */

const NLA_HDRLEN = 4;
const NLA_MAX_LENGTH = 0xffff;

/**
 * Bytes under construction; grows as needed. Attributes and messages are opened, filled and closed, so nests need no
 * copies.
 */
export class Writer {
  #bytes: Buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes written so far, valid until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #take(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }

  bytes(value: Uint8Array): void {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#bytes.writeUInt8(value, at);
  }

  u16(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeUInt16LE(value, at);
  }

  u16be(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeUInt32LE(value, at);
  }

  u32be(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  u64be(value: bigint): void {
    const at = this.#take(8);
    this.#bytes.writeBigUInt64BE(value, at);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    this.#bytes.writeBigUInt64LE(value, at);
  }

  text(value: string): void {
    const at = this.#take(Buffer.byteLength(value));
    this.#bytes.write(value, at);
  }

  /** Zeros up to the next multiple of four. */
  pad(): void {
    const size = -this.#length & 3;
    const at = this.#take(size);
    this.#bytes.fill(0, at, at + size);
  }

  /** Begins an attribute; what follows up to close() is its payload. */
  open(type: number): number {
    const at = this.#take(NLA_HDRLEN);
    this.#bytes.writeUInt16LE(type, at + 2);
    return at;
  }

  close(at: number): void {
    const length = this.#length - at;
    if (length > NLA_MAX_LENGTH)
      throw new RangeError(`an attribute of ${length} bytes is over ${NLA_MAX_LENGTH}`);
    this.#bytes.writeUInt16LE(length, at);
    this.pad();
  }

  /** Puts a 32-bit number where four bytes were written before (the length of a message). */
  patch(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }
}
