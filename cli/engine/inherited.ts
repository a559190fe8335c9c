/**
 * What the plugin that starts the engine inherited from its runtime and did not know of would stay open for the
 * engine's whole life: somebody may be waiting for the end of a pipe.
 */
import { closeSync, readdirSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import { isInherited } from '../../lib/system/descriptor.ts';

function closeIfInherited(fd: number): void {
  try {
    if (isInherited(fd)) closeSync(fd);
  } catch (error) {
    // That of the directory that was read.
    if (!isErrno(error, 'EBADF')) throw error;
  }
}

/** Closes descriptors from 3 on that are inherited; Node's own, and ours, all are close-on-exec. */
export function closeInherited(but: readonly number[]): void {
  const fds = readdirSync('/proc/self/fd').map(Number);
  for (const fd of fds) if (fd >= 3 && !but.includes(fd)) closeIfInherited(fd);
}
