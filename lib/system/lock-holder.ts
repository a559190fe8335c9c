/** Who has a lock on a file (fcntl_locking(2)): for naming him. */
import { readFileSync, statSync } from 'node:fs';
import { processName } from './process.ts';

export interface LockHolder {
  readonly pid: number;
  /** As of processName(). */
  readonly name: string;
}

/** A held lock as proc_locks(5) has it, not one that is waited for ("->"). The end of a file is no number. */
const HELD = /^\d+: POSIX +\S+ +WRITE (\d+) [\da-f]+:[\da-f]+:(\d+) (\d+) (\d+|EOF)$/;

/**
 * The process that has a byte of the file locked for writing; undefined when none has, or one of another PID namespace.
 * A file is known by its inode alone: some file systems tell programs of another device than the kernel has here.
 */
export function lockHolder(file: string, byte: number): LockHolder | undefined {
  try {
    const { ino } = statSync(file, { bigint: true });
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, pid, inode, first, last] = HELD.exec(line) ?? [];
      if (inode !== `${ino}` || Number(first) > byte || Number(last) < byte || Number(pid) === 0) continue;
      return { pid: Number(pid), name: processName(Number(pid)) };
    }
  } catch {
    // It has let go, or is not ours to know.
  }
  return undefined;
}
