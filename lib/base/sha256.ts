/**
 * SHA-256 (FIPS 180-4) of short texts, for names that must always come out the same. Node's own, in node:crypto, costs 5 ms to load,
 * which is more than an attachment spends in the kernel; tests compare the two.
 */

/** The first 32 bits of the fractional part of a root of a prime (FIPS 180-4 section 4.2.2 and 5.3.3). */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes;
}

/** The eight words to begin with, and the 64 round constants. */
function constants(): { start: number[]; rounds: number[] } {
  const primes = firstPrimes(64);
  return {
    start: primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime))),
    rounds: primes.map((prime) => fraction(Math.cbrt(prime))),
  };
}

const { start: START, rounds: ROUNDS } = constants();

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** Section 5.1.1: a one bit, zeros, and the length in bits. */
function padded(message: Buffer): Buffer {
  const block = Buffer.alloc(Math.ceil((message.length + 9) / 64) * 64);
  message.copy(block);
  block.writeUInt8(0x80, message.length);
  block.writeBigUInt64BE(BigInt(message.length) * 8n, block.length - 8);
  return block;
}

/** Section 6.2.2, steps 1 to 4 for one block of 64 bytes. */
function compress(state: Uint32Array, block: Buffer): void {
  const words = new Uint32Array(64);
  const at = (index: number): number => words[index] ?? 0;
  for (let index = 0; index < 64; index++) {
    if (index < 16) {
      words[index] = block.readUInt32BE(index * 4);
      continue;
    }
    const [early, late] = [at(index - 15), at(index - 2)];
    const sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[index] = at(index - 16) + sigma0 + at(index - 7) + sigma1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let round = 0; round < 64; round++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = (h + sum1 + choice + (ROUNDS[round] ?? 0) + at(round)) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = (sum0 + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = (state[index] ?? 0) + word;
  });
}

/** The 32 bytes of the digest of a text in UTF-8. */
export function sha256(text: string): Buffer {
  const state = Uint32Array.from(START);
  const message = padded(Buffer.from(text));
  for (let at = 0; at < message.length; at += 64) compress(state, message.subarray(at, at + 64));
  const digest = Buffer.alloc(32);
  for (const [index, word] of state.entries()) digest.writeUInt32BE(word, index * 4);
  return digest;
}
