/**
 * A procfs to write settings by. The kernel goes through the names of all namespaces that were ever looked at in a
 * procfs to find the one of its caller (fs/proc/proc_sysctl.c, proc_sys_compare): in the host's, with a thousand
 * containers, that takes it a millisecond for each file. One that has just been made has no names yet: fsopen(2), and
 * since Linux 5.8 each is an instance of its own. Its end waits for RCU, half a millisecond, which whoever ends with
 * his answer would have to wait for, too: it is for those who stay.
 */
import { closeSync, openSync } from 'node:fs';
import { SystemError } from '../base/errors.ts';
import { closeAside } from './close-aside.ts';
import { retried } from './syscall.ts';

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
  return retried(name, (libc) => libc.call(`int64_t syscall(int64_t, ${signature})`, SYS[name], ...args));
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

/** Whether settings can be written by it: it may be read-only, or whoever confines us may not know it. */
function isWritable(proc: string): boolean {
  try {
    closeSync(openSync(`${proc}/sys/net/ipv4/ip_forward`, 'r+'));
    return true;
  } catch {
    return false;
  }
}

/** Calls `work` with what stands for /proc, to write settings of the network by. */
export type WithProcfs = <T>(work: (proc: string) => T) => T;

/**
 * Calls its argument with a new procfs, or with the host's where the kernel gives none, and where settings cannot be
 * written by both: what a container sees read-only (Docker's /proc/sys) stays so. That is found out with the first.
 */
export function ownProcfs(): WithProcfs {
  let isAllowed: boolean | undefined;
  return (work) => {
    if (isAllowed === false) return work(PROC);
    let fd: number;
    try {
      fd = mounted();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return work(PROC);
    }
    try {
      const proc = `/proc/self/fd/${fd}`;
      isAllowed ??= isWritable(PROC) && isWritable(proc);
      return work(isAllowed ? proc : PROC);
    } finally {
      closeAside(fd);
    }
  };
}
