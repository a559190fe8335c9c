/** Mutual exclusion between processes by a lock on a file (flock(2)), which the kernel drops when its holder dies. */
import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { NetmoorError, isErrno } from '../base/errors.ts';
import { retried, retriedNow } from './syscall.ts';

const LOCK_SH = 1; // include/uapi/asm-generic/fcntl.h
const LOCK_EX = 2;
const LOCK_NB = 4;

/** What it takes to wait for another process, in milliseconds. */
export interface Patience {
  /** Of a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly pause: (milliseconds: number) => void;
}

/** A stopped process may hold a lock for ever; one that works holds it for milliseconds. */
const TIME_LIMIT = 5_000;
const LONGEST_PAUSE = 32;

/** Takes the lock of an open file until it is closed; false when another process has it. */
export function tryLock(fd: number, path: string, operation = LOCK_EX): boolean {
  const signature = 'int flock(int, int)';
  return retriedNow(`lock ${path}`, (libc) => libc.call(signature, fd, operation | LOCK_NB)) !== undefined;
}

/** Whether anybody has the lock of the file at `path`; nothing is made or waited for by asking. */
export function isLocked(path: string): boolean {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    return !tryLock(fd, path, LOCK_SH);
  } finally {
    closeSync(fd);
  }
}

/**
 * The kernel can wait for a lock, but not for a lock or a point in time: so it is asked again and again, ever more
 * seldom.
 */
function lock(fd: number, path: string, { monotonic, pause }: Patience, limit: number): void {
  const deadline = monotonic() + limit;
  for (let wait = 1; !tryLock(fd, path); wait = Math.min(wait * 2, LONGEST_PAUSE)) {
    if (monotonic() >= deadline) {
      throw new NetmoorError(
        'try-again',
        `${path} has been locked by another process for ${limit / 1000} s`,
        `"fuser -v ${path}" names it; end it, and try again`,
      );
    }
    pause(wait);
  }
}

/** The file, made where needed. Nothing that is there in its stead is waited for. */
function openLock(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new NetmoorError('io', `${path} is no regular file`, 'remove it');
}

/** A lock that is held from `acquire` until it is given back, or the process ends. */
export class FileLock {
  readonly #fd: number;
  readonly #path: string;

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /** `limit` in milliseconds. Throws NetmoorError 'try-again' when another process does not let go of it. */
  static acquire(path: string, patience: Patience, limit = TIME_LIMIT): FileLock {
    for (;;) {
      const held = new FileLock(openLock(path), path);
      try {
        lock(held.#fd, path, patience, limit);
        // It may have been removed by its last holder: then the file that others lock is another one.
        if (held.#isCurrent()) return held;
      } catch (error) {
        held.release();
        throw error;
      }
      held.release();
    }
  }

  /** The lock, or undefined when another has it; nothing is waited for. */
  static tryAcquire(path: string): FileLock | undefined {
    for (;;) {
      const held = new FileLock(openLock(path), path);
      const mine = tryLock(held.#fd, path);
      if (mine && held.#isCurrent()) return held;
      held.release();
      if (!mine) return undefined;
    }
  }

  /** Blocks until nobody else has it, however long that takes: for a process that could do nothing else. */
  static wait(path: string): FileLock {
    for (;;) {
      const held = new FileLock(openLock(path), path);
      retried(`lock ${path}`, (libc) => libc.call('int flock(int, int)', held.#fd, LOCK_EX));
      if (held.#isCurrent()) return held;
      held.release();
    }
  }

  #isCurrent(): boolean {
    const there = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    const own = fstatSync(this.#fd, { bigint: true });
    return there?.ino === own.ino && there.dev === own.dev;
  }

  /** Gives it back; the file stays. */
  release(): void {
    closeSync(this.#fd);
  }

  /** Gives it back and takes the file away, which whoever waits for it notices. */
  remove(): void {
    rmSync(this.#path, { force: true });
    this.release();
  }
}

/**
 * Runs `fn` while nobody else holds the lock at `path`, a file that is made for it and stays. Throws NetmoorError
 * 'try-again' when another process does not let go of it.
 */
export function withFileLock<T>(path: string, patience: Patience, fn: () => T): T {
  const held = FileLock.acquire(path, patience);
  try {
    return fn();
  } finally {
    held.release();
  }
}

/**
 * Runs `fn` while nobody else holds the lock of a namespace's own file, which the reference's sbr plugin takes as well.
 * Throws NetmoorError('try-again').
 */
export function withNetnsLock<T>(
  netns: { readonly fd: number; readonly path: string },
  patience: Patience,
  fn: () => T,
): T {
  // Opened anew: a lock belongs to what one open() has made, and ends with that.
  const fd = openSync(`/proc/self/fd/${netns.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    lock(fd, netns.path, patience, TIME_LIMIT);
    return fn();
  } finally {
    closeSync(fd);
  }
}
