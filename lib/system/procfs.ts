/**
 * A procfs to write settings by. The kernel goes through the names of all namespaces that were ever looked at in a
 * procfs to find the one of its caller (fs/proc/proc_sysctl.c, proc_sys_compare): in the host's, with a thousand
 * containers, that takes it a millisecond for each file. One that has just been made has no names yet: fsopen(2), and
 * since Linux 5.8 each is an instance of its own. Its end waits for RCU, half a millisecond, which whoever ends with
 * his answer would have to wait for, too: it is for those who stay.
 */
import { closeSync } from 'node:fs';
import { SystemError } from '../base/errors.ts';
import { closeAside } from './close-aside.ts';
import { Libc } from './native.ts';

/** linux/mount.h */
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const MOUNT_ATTR_NOSUID_NODEV_NOEXEC = 0xe;

/** The same numbers on all processors (asm-generic/unistd.h). */
const SYS = { fsopen: 430, fsconfig: 431, fsmount: 432 } as const;

/** Where the host has its own. */
export const PROC = '/proc';

function call(name: keyof typeof SYS, signature: string, ...args: unknown[]): number {
  const libc = Libc.get();
  const result = libc.call(`int64_t syscall(int64_t, ${signature})`, SYS[name], ...args);
  if (result < 0) throw new SystemError(name, libc.errno());
  return result;
}

function mounted(): number {
  const context = call('fsopen', 'str, uint32_t', 'proc', FSOPEN_CLOEXEC);
  try {
    call(
      'fsconfig',
      'int, uint32_t, const void *, const void *, int',
      context,
      FSCONFIG_CMD_CREATE,
      null,
      null,
      0,
    );
    return call(
      'fsmount',
      'int, uint32_t, uint32_t',
      context,
      FSMOUNT_CLOEXEC,
      MOUNT_ATTR_NOSUID_NODEV_NOEXEC,
    );
  } finally {
    closeSync(context);
  }
}

/** Calls `work` with what stands for /proc: a new one, or the host's where the kernel gives none. */
export function withOwnProcfs<T>(work: (proc: string) => T): T {
  let fd: number;
  try {
    fd = mounted();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return work(PROC);
  }
  try {
    return work(`/proc/self/fd/${fd}`);
  } finally {
    closeAside(fd);
  }
}
