/** Flags of file descriptors (fcntl(2)). */
import { retried } from './syscall.ts';

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Whether a program that this process starts gets it, too. Throws SystemError: EBADF. */
export function isInherited(fd: number): boolean {
  const op = `inspect descriptor ${fd}`;
  return (retried(op, (libc) => libc.call('int fcntl(int, int)', fd, F_GETFD)) & FD_CLOEXEC) === 0;
}

/** No program that this process starts gets it. Throws SystemError: EBADF. */
export function closeOnExec(fd: number): void {
  const op = `keep descriptor ${fd}`;
  retried(op, (libc) => libc.call('int fcntl(int, int, int)', fd, F_SETFD, FD_CLOEXEC));
}
