/**
 * Waiting for many file descriptors that Node cannot wait for (packet sockets), and for points in time of the boot
 * clock, in Node's own event loop: one epoll instance (epoll(7)), waited for by one thread of libuv's pool, and one
 * timer (timerfd_create(2)) in it.
 */
import { closeSync } from 'node:fs';
import { TimerQueue } from '../base/timer-queue.ts';
import type { Entry } from '../base/timer-queue.ts';
import { CLOCK_BOOTTIME, bootNow, timespecOf } from './boot-clock.ts';
import { Libc } from './native.ts';
import { retried } from './syscall.ts';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const TFD_CLOEXEC = 0o2000000;
const TFD_NONBLOCK = 0o4000;
const TFD_TIMER_ABSTIME = 1;

/** struct epoll_event is packed on x86-64 alone (EPOLL_PACKED, linux/eventpoll.h). */
const DATA = process.arch === 'x64' ? 4 : 8;
const EVENT_BYTES = DATA + 8;
const MOST_EVENTS = 256;
/** Timers called before packets are looked at again. */
const MOST_DUE = 256;

/** How far the clocks may drift apart before it counts as a suspend. */
const SUSPEND_MS = 1000;

export interface Watch {
  /** The caller closes the descriptor, afterwards. */
  stop(): void;
}

export interface Alarm {
  /** Has no effect on one that has rung. */
  cancel(): void;
}

export interface Reactor {
  /** Milliseconds since boot. */
  now(): number;
  /** Calls `ready` as long as the descriptor can be read; it must not throw. */
  watch(fd: number, ready: () => void): Watch;
  /** Calls `ring` once, when the boot clock has come to `at`. */
  at(at: number, ring: () => void): Alarm;
  /** Calls `woken` whenever the host has been suspended meanwhile. */
  onWake(woken: () => void): void;
  /** How many alarms are set. */
  readonly alarms: number;
  /** Lets go of everything; the thread that waits ends soon after. */
  close(): void;
}

/** The boot clock and the one that stands still during a suspend. */
function sleptSoFar(): number {
  return bootNow() - performance.now();
}

class EpollReactor implements Reactor {
  readonly #epoll: number;
  readonly #timer: number;
  readonly #watched = new Map<number, () => void>();
  readonly #queue = new TimerQueue<() => void>();
  readonly #events = Buffer.alloc(EVENT_BYTES * MOST_EVENTS);
  readonly #woken: (() => void)[] = [];
  #armed: number | undefined;
  #nextToken = 1;
  #slept = sleptSoFar();
  #closed = false;

  constructor() {
    this.#epoll = retried('create an epoll instance', (libc) =>
      libc.call('int epoll_create1(int)', EPOLL_CLOEXEC),
    );
    this.#timer = retried('create a timer', (libc) =>
      libc.call('int timerfd_create(int, int)', CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
    );
    this.watch(this.#timer, () => this.#ring());
    void this.#wait();
  }

  onWake(woken: () => void): void {
    this.#woken.push(woken);
  }

  get alarms(): number {
    return this.#queue.size;
  }

  now(): number {
    return bootNow();
  }

  watch(fd: number, ready: () => void): Watch {
    const token = this.#nextToken++;
    const event = Buffer.alloc(EVENT_BYTES);
    event.writeUInt32LE(EPOLLIN, 0);
    event.writeBigUInt64LE(BigInt(token), DATA);
    const control = (operation: number): void =>
      void retried('watch a socket', (libc) =>
        libc.call('int epoll_ctl(int, int, int, const void *)', this.#epoll, operation, fd, event),
      );
    control(EPOLL_CTL_ADD);
    this.#watched.set(token, ready);
    return {
      stop: () => {
        if (this.#watched.delete(token) && !this.#closed) control(EPOLL_CTL_DEL);
      },
    };
  }

  at(at: number, ring: () => void): Alarm {
    const entry: Entry<() => void> = this.#queue.put(at, ring);
    this.#arm();
    // The timer may ring for nobody then, which costs less than setting it anew.
    return { cancel: () => this.#queue.remove(entry) };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watched.clear();
    this.#set(0);
  }

  #arm(): void {
    const first = this.#queue.first?.at;
    if (first === undefined || (this.#armed !== undefined && this.#armed <= first)) return;
    this.#armed = first;
    this.#set(first);
  }

  /** A time that has passed rings at once; zero would switch the timer off. */
  #set(at: number): void {
    const spec = Buffer.concat([timespecOf(0), timespecOf(Math.max(at, 1))]);
    retried('set a timer', (libc) =>
      libc.call(
        'int timerfd_settime(int, int, const void *, void *)',
        this.#timer,
        TFD_TIMER_ABSTIME,
        spec,
        null,
      ),
    );
  }

  #ring(): void {
    const expirations = Buffer.alloc(8);
    Libc.get().call('int64_t read(int, void *, size_t)', this.#timer, expirations, expirations.length);
    this.#armed = undefined;
    const now = bootNow();
    for (let rung = 0; rung < MOST_DUE; rung++) {
      const ring = this.#queue.takeDue(now);
      if (ring === undefined) break;
      ring();
    }
    this.#arm();
  }

  async #wait(): Promise<void> {
    const signature = 'int epoll_wait(int, void *, int, int)';
    while (!this.#closed) {
      const count = await Libc.get().callAside(signature, this.#epoll, this.#events, MOST_EVENTS, -1);
      if (this.#closed) break;
      this.#noticeSuspend();
      for (let index = 0; index < count; index++) {
        const token = Number(this.#events.readBigUInt64LE(index * EVENT_BYTES + DATA));
        // One before it may have stopped watching it.
        this.#watched.get(token)?.();
      }
    }
    closeSync(this.#timer);
    closeSync(this.#epoll);
  }

  #noticeSuspend(): void {
    const slept = sleptSoFar();
    const suspended = slept - this.#slept > SUSPEND_MS;
    this.#slept = slept;
    if (suspended) for (const woken of this.#woken) woken();
  }
}

/** One is enough for a process: it takes one of the four threads of libuv's pool. */
export function openReactor(): Reactor {
  return new EpollReactor();
}
