/** Mutual exclusion between processes by a lock on a file (flock(2)), which the kernel drops when its holder dies. */
import { closeSync, constants, openSync } from 'node:fs';
import { constants as system } from 'node:os';
import { SystemError } from '../base/errors.ts';
import { Libc } from './native.ts';

const LOCK_EX = 2; // include/uapi/asm-generic/fcntl.h

function lock(fd: number, path: string): void {
  const libc = Libc.get();
  while (libc.call('int flock(int, int)', fd, LOCK_EX) < 0) {
    if (libc.errno() !== system.errno.EINTR) throw new SystemError(`lock ${path}`, libc.errno());
  }
}

/** Runs `fn` while nobody else holds the lock at `path`, a file that is made for it and stays. Waits as long as it takes. */
export function withFileLock<T>(path: string, fn: () => T): T {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    lock(fd, path);
    return fn();
  } finally {
    closeSync(fd);
  }
}
