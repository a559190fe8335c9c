/**
 * Threads come and go, and the code through which they call libc (lib/system/machine-code.ts) would be laid down by
 * each of them, for good: all use what the first one has.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { Libc } from '../../lib/system/native.ts';

const KEY = 'netmoor: where the code lies';

/** For the threads that are started from now on. */
export function leaveCode(): void {
  setEnvironmentData(KEY, Libc.get().code);
}

/** Before this thread calls anything. */
export function takeCode(): void {
  const code: unknown = getEnvironmentData(KEY);
  if (typeof code === 'bigint') Libc.inherit(code);
}
