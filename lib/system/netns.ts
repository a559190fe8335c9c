/**
 * Network namespaces (namespaces(7), setns(2), ioctl_ns(2)).
 *
 * Nobody "is in" a namespace here: a socket opened inside one belongs to it for life, so the way to work there is to
 * step in, open what is needed, and step back. Two dangers shape this file. Work that Node hands to its thread pool
 * from inside would create the pool's threads inside, and they would stay there for ever: the pool is created before
 * the first step, and what runs inside is synchronous. And a thread that cannot step back must not live on, or the next
 * command would reconfigure the wrong network: the process aborts.
 */
import { closeSync, constants, fstatSync, openSync, stat, statfsSync, statSync } from 'node:fs';
import { NetmoorError, SystemError, isErrno } from '../base/errors.ts';
import { CLONE_NEWNET, setns, unshare } from './syscall.ts';

/** `f_type` of nsfs (linux/magic.h NSFS_MAGIC) and of proc (PROC_SUPER_MAGIC, kernels before 3.19). */
const NSFS_MAGIC = 0x6e736673;

const OWN_NETNS = '/proc/thread-self/ns/net';

/** An open network namespace; `id` is "device:inode", equal for equal namespaces while one of them is open. */
export interface Netns {
  readonly fd: number;
  readonly path: string;
  readonly id: string;
}

/** "device:inode" of the namespace this thread works in. */
export function ownNetnsId(): string {
  const stat = statSync(OWN_NETNS, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}

/**
 * Opens a namespace by path; throws NetmoorError('bad-netns') when there is none or it is something else. `from`: where
 * it lies if not there, a descriptor of whoever has opened it before. O_NONBLOCK: the other end of a FIFO would
 * otherwise be waited for.
 */
export function openNetns(path: string, from = path): Netns {
  let fd: number;
  try {
    fd = openSync(from, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const gone = isErrno(error, 'ENOENT', 'ESRCH', 'ENOTDIR');
    const advice = gone ? 'the container may have ended' : 'check the path and the permissions on it';
    throw new NetmoorError(
      'bad-netns',
      `network namespace ${JSON.stringify(path)} cannot be opened`,
      advice,
      { cause: error },
    );
  }
  try {
    if (statfsSync(`/proc/self/fd/${fd}`).type !== NSFS_MAGIC) {
      throw new NetmoorError(
        'bad-netns',
        `${JSON.stringify(path)} is not a namespace`,
        'give a path such as /proc/PID/ns/net or /run/netns/NAME',
      );
    }
    const stat = fstatSync(fd, { bigint: true });
    return { fd, path, id: `${stat.dev}:${stat.ino}` };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The namespace that this thread works in, opened. */
export function ownNetns(): Netns {
  return openNetns(OWN_NETNS);
}

export function closeNetns(netns: Netns): void {
  closeSync(netns.fd);
}

/** libuv creates all threads of its pool at the first piece of work: let that be here, outside. */
function createThreadPool(): void {
  stat('/', () => {});
}

const pool = { created: false };

function stepBack(home: number): void {
  try {
    setns(home, CLONE_NEWNET, 'return to the own network namespace');
  } catch {
    process.abort();
  }
}

function steppedAside<T>(step: () => void, fn: () => T): T {
  if (!pool.created) {
    createThreadPool();
    pool.created = true;
  }
  const home = openSync(OWN_NETNS, 'r');
  try {
    step();
    try {
      const result = fn();
      if (result instanceof Promise)
        throw new TypeError('work inside a network namespace must be synchronous');
      return result;
    } finally {
      stepBack(home);
    }
  } finally {
    closeSync(home);
  }
}

/** Runs synchronous `fn` inside the namespace and steps back whatever happens. */
export function inNetns<T>(netns: Netns, fn: () => T): T {
  return steppedAside(() => {
    try {
      setns(netns.fd, CLONE_NEWNET, `enter network namespace ${netns.path}`);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EINVAL') {
        throw new NetmoorError(
          'bad-netns',
          `${JSON.stringify(netns.path)} is a namespace of another kind`,
          'give the path of a network namespace',
          { cause: error },
        );
      }
      throw error;
    }
  }, fn);
}

/** Runs synchronous `fn` inside a namespace made for it, which ends with `fn` unless something holds it. */
export function inNewNetns<T>(fn: () => T): T {
  return steppedAside(() => unshare(CLONE_NEWNET, 'create a network namespace'), fn);
}
