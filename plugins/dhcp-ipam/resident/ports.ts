/**
 * Waiting for bridge ports of the host to forward, many at a time. The kernel is listened to as long as there is
 * somebody to wait: it has much to say of links that come and go on account of others.
 */
import { isErrno } from '../../../lib/base/errors.ts';
import { DecodeError } from '../../../lib/netlink/attributes.ts';
import { IF_OPER_UP, decodeLink } from '../../../lib/netlink/link-message.ts';
import { decodeMessages } from '../../../lib/netlink/message.ts';
import { listenFor } from '../../../lib/netlink/news.ts';
import type { Ear } from '../../../lib/netlink/news.ts';
import { RTM_NEWLINK, RTNLGRP_LINK } from '../../../lib/netlink/uapi.ts';
import type { Reactor } from '../../../lib/system/reactor.ts';
import { receive } from '../../../lib/system/syscall.ts';

const OP = 'listen for links';
const DATAGRAM = 1 << 15;
const MOST_AT_ONCE = 64;
/** Remembered for those who are about to ask. */
const MOST_SEEN = 4096;

export class Ports {
  readonly #reactor: Reactor;
  readonly #waiting = new Map<number, Set<() => void>>();
  /** When ports came up, of the boot clock. */
  readonly #seen = new Map<number, number>();
  readonly #buffer = Buffer.allocUnsafe(DATAGRAM);
  #ear: Ear | undefined;
  #listeners = 0;

  constructor(reactor: Reactor) {
    this.#reactor = reactor;
  }

  /** Runs `work`; what comes up meanwhile is known to those who wait for it within. Throws SystemError. */
  async listening<T>(work: () => Promise<T>): Promise<T> {
    this.#ear ??= listenFor(this.#reactor, RTNLGRP_LINK, (socket) => this.#hear(socket));
    this.#listeners += 1;
    try {
      return await work();
    } finally {
      this.#listeners -= 1;
      if (this.#listeners === 0) this.close();
    }
  }

  /** Resolves when the port is up, or has come up after `since`, at the latest in `milliseconds`. */
  async until(port: number, since: number, milliseconds: number): Promise<void> {
    if ((this.#seen.get(port) ?? -1) >= since) return;
    const waiting = this.#waiting.get(port) ?? new Set();
    this.#waiting.set(port, waiting);
    const { promise, resolve } = Promise.withResolvers<void>();
    const alarm = this.#reactor.at(this.#reactor.now() + milliseconds, resolve);
    waiting.add(resolve);
    await promise;
    alarm.cancel();
    this.#waiting.delete(port);
  }

  close(): void {
    this.#ear?.close();
    this.#ear = undefined;
    this.#seen.clear();
  }

  #hear(socket: number): void {
    for (let count = 0; count < MOST_AT_ONCE; count++) {
      try {
        const length = receive(socket, this.#buffer, OP);
        if (length === undefined) return;
        this.#take(Buffer.from(this.#buffer.subarray(0, Math.min(length, DATAGRAM))));
      } catch (error) {
        // Whoever waits may have been meant by what was lost.
        if (!isErrno(error, 'ENOBUFS')) throw error;
        for (const port of this.#waiting.keys()) this.#isUp(port);
      }
    }
  }

  #take(datagram: Buffer): void {
    try {
      for (const message of decodeMessages(datagram)) {
        if (message.type !== RTM_NEWLINK) continue;
        const { index, operstate } = decodeLink(message);
        if (operstate === IF_OPER_UP) this.#isUp(index);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #isUp(port: number): void {
    if (this.#seen.size >= MOST_SEEN) this.#seen.clear();
    this.#seen.set(port, this.#reactor.now());
    for (const tell of this.#waiting.get(port) ?? []) tell();
  }
}
