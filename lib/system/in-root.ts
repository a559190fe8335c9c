/**
 * Opening files below a directory that somebody else fills, such as a container's root file system: openat2(2), Linux
 * 5.6. The kernel itself resolves symbolic links and "..", so nothing that changes meanwhile can lead out.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { constants as system } from 'node:os';
import { SystemError } from '../base/errors.ts';
import { Libc } from './native.ts';

/** include/uapi/linux/openat2.h; the number of the call is the same on all architectures. */
const SYS_openat2 = 437;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

/** Linux, all architectures but alpha, parisc and sparc; Node does not export them. */
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** A rename elsewhere in the tree while ".." is resolved makes the kernel ask to try again. */
const ATTEMPTS = 16;

/**
 * 'root': links are followed as a process with that root directory would, but into no other mount.
 * 'beneath': no links are followed at all, nothing above can be named.
 */
export type Confinement = 'root' | 'beneath';

const RESOLVE: Readonly<Record<Confinement, number>> = {
  root: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  beneath: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
};

function openat2(directory: number, path: string, flags: number, resolve: number, op: string): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const libc = Libc.get();
  for (let attempt = 1; ; attempt++) {
    const signature = 'int64_t syscall(int64_t, int64_t, str, const void *, size_t)';
    const fd = libc.call(signature, SYS_openat2, directory, path, how, how.length);
    if (fd >= 0) return fd;
    const again = fd === -system.errno.EAGAIN || fd === -system.errno.EINTR;
    if (!again || attempt === ATTEMPTS) throw new SystemError(op, -fd);
  }
}

/** A directory to open things below: it can be named, not read. Its own path is followed like any other. */
export function openDirectory(path: string): number {
  return openSync(path, O_PATH | constants.O_DIRECTORY);
}

/** A directory below `directory`, as `openDirectory` gives. Throws SystemError: ELOOP, EXDEV when it would lead out. */
export function openDirectoryBelow(directory: number, path: string, confinement: Confinement): number {
  return openat2(
    directory,
    path === '' ? '.' : path,
    O_PATH | constants.O_DIRECTORY,
    RESOLVE[confinement],
    `open ${path}`,
  );
}

/** An existing file below `directory`, never waiting for the other end of a FIFO. */
export function openFileBelow(
  directory: number,
  path: string,
  access: 'read' | 'write',
  confinement: Confinement,
): number {
  const flags =
    (access === 'read' ? constants.O_RDONLY : constants.O_WRONLY) |
    constants.O_NONBLOCK |
    constants.O_NOFOLLOW;
  return openat2(directory, path, flags, RESOLVE[confinement], `open ${path}`);
}

/** The path by which Node's functions reach an entry of an open directory; the entry itself must not be followed. */
export function entryOf(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`;
}

export function closeDirectory(directory: number): void {
  closeSync(directory);
}
