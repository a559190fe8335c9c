/**
 * Told by the kernel of changes of the host's links, looks what they mean to the segments of containers. It listens as
 * long as there are any.
 */
import { listenFor } from '../../../lib/netlink/news.ts';
import type { Ear } from '../../../lib/netlink/news.ts';
import { RTNLGRP_LINK } from '../../../lib/netlink/uapi.ts';
import type { Alarm, Reactor } from '../../../lib/system/reactor.ts';
import { receive } from '../../../lib/system/syscall.ts';
import type { SegmentMembers } from '../tasks/segments.ts';
import { brokenIn } from './link-news.ts';
import { Segments } from './segments.ts';
import type { Sight } from './segments.ts';
import { takeAll } from './transport.ts';

/** Changes come in swarms: one look is for all of them. */
const GATHER_MS = 100;

export interface LinkWatchWorld {
  readonly reactor: Pick<Reactor, 'at' | 'now' | 'watch'>;
  /** The segments that matter now. */
  readonly names: () => readonly string[];
  readonly look: (names: readonly string[]) => Promise<SegmentMembers>;
  readonly seen: (sight: Sight) => void;
  readonly failed: (error: unknown) => void;
}

export class LinkWatch {
  readonly #world: LinkWatchWorld;
  readonly #segments = new Segments();
  readonly #buffer = Buffer.allocUnsafe(4096);
  #ear: Ear | undefined;
  #alarm: Alarm | undefined;
  /** ifindex of links that did not carry at some time since the last look. */
  #broken = new Set<number>();
  #looking = false;
  #again = false;

  constructor(world: LinkWatchWorld) {
    this.#world = world;
  }

  /** Something has changed. */
  soon(): void {
    const { reactor } = this.#world;
    this.#alarm ??= reactor.at(reactor.now() + GATHER_MS, () => {
      this.#alarm = undefined;
      void this.look();
    });
  }

  close(): void {
    this.#alarm?.cancel();
    this.#deafen();
  }

  #listen(): Ear {
    const next = (socket: number): boolean => {
      const length = receive(socket, this.#buffer, 'listen for links');
      if (length === undefined) return false;
      for (const index of brokenIn(this.#buffer.subarray(0, Math.min(length, this.#buffer.length))))
        this.#broken.add(index);
      return true;
    };
    return listenFor(this.#world.reactor, RTNLGRP_LINK, (socket) => {
      takeAll(() => next(socket), this.#world.failed);
      this.soon();
    });
  }

  #deafen(): void {
    this.#ear?.close();
    this.#ear = undefined;
  }

  /** Containers have come, and their segments count from now on. */
  async look(): Promise<void> {
    const { names, look, seen, failed } = this.#world;
    this.#again = this.#looking;
    const wanted = names();
    if (wanted.length === 0) this.#deafen();
    if (this.#looking || wanted.length === 0) return;
    this.#looking = true;
    const broken = this.#broken;
    this.#broken = new Set();
    try {
      this.#ear ??= this.#listen();
      seen(this.#segments.see(wanted, await look(wanted), broken));
    } catch (error) {
      failed(error);
    } finally {
      this.#looking = false;
      if (this.#again) this.soon();
    }
  }
}
