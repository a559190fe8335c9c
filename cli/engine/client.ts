/**
 * Who is at the other end of a connection, by the kernel's account. What a client says of itself proves nothing: in a
 * container, root without any privilege has our user id, and the socket may have been mounted there.
 */
import { closeSync, statSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import { directoryId } from '../../lib/system/directory-id.ts';
import { waitReadable } from '../../lib/system/syscall.ts';
import { peerOf, peerPidfd } from '../../lib/system/unix-stream.ts';
import { ownNamespaces } from '../../lib/engine/request.ts';
import type { Place } from './call.ts';

const OP = 'look at a client';

export interface Client {
  readonly uid: number;
  /** Where the process is that has connected; undefined when it has ended, or is of no pid that we know. */
  readonly place: () => Place | undefined;
}

function namespaceOf(pid: number, kind: string): string {
  const { dev, ino } = statSync(`/proc/${pid}/ns/${kind}`, { bigint: true });
  return `${dev}:${ino}`;
}

export function ownPlace(): Place {
  return { ...ownNamespaces(), root: directoryId('/') };
}

function placeOf(pid: number): Place | undefined {
  if (pid <= 0) return undefined;
  try {
    return {
      netns: namespaceOf(pid, 'net'),
      mntns: namespaceOf(pid, 'mnt'),
      pidns: namespaceOf(pid, 'pid'),
      userns: namespaceOf(pid, 'user'),
      root: directoryId(`/proc/${pid}/root`),
    };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

/** The number of a process that has ended may be another's by now: whose it was is looked at while it lives. */
function placeBehind(fd: number, pid: number): Place | undefined {
  const pidfd = peerPidfd(fd);
  if (pidfd === 'unknown') return placeOf(pid);
  if (pidfd === 'ended') return undefined;
  try {
    const found = placeOf(pid);
    return waitReadable(pidfd, 0, OP) ? undefined : found;
  } finally {
    closeSync(pidfd);
  }
}

/** Throws SystemError. `fd`: the connection, which stays open as long as the client is asked about. */
export function clientOf(fd: number): Client {
  const { uid, pid } = peerOf(fd, OP);
  return { uid, place: () => placeBehind(fd, pid) };
}
