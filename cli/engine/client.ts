/**
 * Who is at the other end of a connection, by the kernel's account. What a client says of itself proves nothing: in a
 * container, root without any privilege has our user id, and the socket may have been mounted there.
 */
import { closeSync, statSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import { waitReadable } from '../../lib/system/syscall.ts';
import { peerOf, peerPidfd } from '../../lib/system/unix-stream.ts';
import type { Namespaces } from './call.ts';

const OP = 'look at a client';

export interface Client {
  readonly uid: number;
  /** Those that the process is in which has connected; undefined when it has ended, or is of no pid that we know. */
  readonly namespaces: () => Namespaces | undefined;
}

function idOf(pid: number, kind: string): string {
  const { dev, ino } = statSync(`/proc/${pid}/ns/${kind}`, { bigint: true });
  return `${dev}:${ino}`;
}

function namespacesOf(pid: number): Namespaces | undefined {
  if (pid <= 0) return undefined;
  try {
    const [netns, mntns] = [idOf(pid, 'net'), idOf(pid, 'mnt')];
    return { netns, mntns, pidns: idOf(pid, 'pid'), userns: idOf(pid, 'user') };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

/** The number of a process that has ended may be another's by now: whose it was is looked at while it lives. */
function namespacesBehind(fd: number, pid: number): Namespaces | undefined {
  const pidfd = peerPidfd(fd);
  if (pidfd === 'unknown') return namespacesOf(pid);
  if (pidfd === 'ended') return undefined;
  try {
    const found = namespacesOf(pid);
    return waitReadable(pidfd, 0, OP) ? undefined : found;
  } finally {
    closeSync(pidfd);
  }
}

/** Throws SystemError. `fd`: the connection, which stays open as long as the client is asked about. */
export function clientOf(fd: number): Client {
  const { uid, pid } = peerOf(fd, OP);
  return { uid, namespaces: () => namespacesBehind(fd, pid) };
}
