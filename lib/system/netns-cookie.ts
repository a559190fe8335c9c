/** What tells a network namespace from all others of this boot, those that are gone included (SO_NETNS_COOKIE). */
import { closeSync } from 'node:fs';
import { SystemError } from '../base/errors.ts';
import { getsockopt, socket } from './syscall.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
/** asm-generic/socket.h; Linux 5.14. */
const SO_NETNS_COOKIE = 71;

/** Of the namespace of the calling thread; undefined where the kernel has no such numbers. */
export function netnsCookie(): string | undefined {
  const op = 'tell the network namespace';
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0, op);
  try {
    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, 8, op).readBigUInt64LE(0).toString();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
