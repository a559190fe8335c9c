/** CLOCK_BOOTTIME (clock_gettime(2)): nobody sets it, and it goes on while the host is suspended. */
import { Libc } from './native.ts';

export const CLOCK_BOOTTIME = 7; // linux/time.h

/** struct timespec */
const TIMESPEC_BYTES = 16;
const buffer = Buffer.alloc(TIMESPEC_BYTES);

/** Milliseconds since boot. */
export function bootNow(): number {
  Libc.get().call('int clock_gettime(int, void *)', CLOCK_BOOTTIME, buffer);
  return Number(buffer.readBigInt64LE(0)) * 1000 + Number(buffer.readBigInt64LE(8)) / 1e6;
}

/** The same as a struct timespec. */
export function timespecOf(milliseconds: number): Buffer {
  const spec = Buffer.alloc(TIMESPEC_BYTES);
  const whole = Math.floor(milliseconds / 1000);
  spec.writeBigInt64LE(BigInt(whole), 0);
  spec.writeBigInt64LE(BigInt(Math.floor((milliseconds - whole * 1000) * 1e6)), 8);
  return spec;
}
