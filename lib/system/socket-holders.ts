/** Which processes have a socket open, by the number of its inode (proc_pid_fd(5)): for naming them. */
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';
import { processName } from './process.ts';

export interface SocketHolder {
  readonly pid: number;
  /** As of processName(). */
  readonly name: string;
  readonly arguments: readonly string[];
  /** Who runs it is who we are. */
  readonly isOurs: boolean;
}

/** Undefined for what went away meanwhile, and what is not ours to look at. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL')) return undefined;
    throw error;
  }
}

function argumentsOf(pid: number): string[] {
  return attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0') ?? [];
}

function socketsOf(pid: number): number[] {
  const files = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return files.flatMap((file) => {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${file}`));
    const inode = /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });
}

function holder(pid: number): SocketHolder {
  const name = attempt(() => processName(pid)) ?? '';
  const [own, its] = [statSync('/proc/self').uid, attempt(() => statSync(`/proc/${pid}`))?.uid];
  return { pid, name, arguments: argumentsOf(pid), isOurs: own === its };
}

/**
 * The processes that have these sockets, by inode. Those whose arguments `isLikely` are looked at first; if they have
 * all, nobody else is looked at, of whom there may be thousands. A process of another PID namespace is not seen.
 */
export function findSocketHolders(
  inodes: ReadonlySet<number>,
  isLikely: (argument: string) => boolean,
): Map<number, SocketHolder[]> {
  const found = new Map<number, SocketHolder[]>();
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const likely = new Set(pids.filter((pid) => argumentsOf(pid).some(isLikely)));
  const look = (pid: number): void => {
    const its = new Set(socketsOf(pid).filter((inode) => inodes.has(inode)));
    if (its.size === 0) return;
    const who = holder(pid);
    for (const inode of its) found.set(inode, [...(found.get(inode) ?? []), who]);
  };
  for (const pid of likely) look(pid);
  if (found.size < inodes.size) for (const pid of pids) if (!likely.has(pid)) look(pid);
  return found;
}
