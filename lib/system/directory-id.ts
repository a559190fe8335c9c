/** Which directory a path leads to, told from all others at the time: by its inode, and the mount it is seen in. */
import { retried } from './syscall.ts';

const AT_FDCWD = -100;
/** linux/stat.h: what is asked for, and where it is in struct statx. */
const STATX_INO = 0x100;
const STATX_MNT_ID = 0x1000;
const STATX_BYTES = 256;
const INO = 32;
const MNT_ID = 144;

/**
 * "mount:inode"; before Linux 5.8 no mount is told, and counts as 0. Bind mounts of one directory differ. Throws
 * SystemError.
 */
export function directoryId(path: string): string {
  const found = Buffer.alloc(STATX_BYTES);
  const signature = 'int statx(int, const char *, int, uint32_t, void *)';
  retried(`look at ${path}`, (libc) =>
    libc.call(signature, AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, found),
  );
  return `${found.readBigUInt64LE(MNT_ID)}:${found.readBigUInt64LE(INO)}`;
}
