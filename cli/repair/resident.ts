/**
 * The engine looks after the rules: it hears of every change of the ruleset, and when somebody else has changed
 * netmoor's tables, or the chains that what is forwarded passes by, it has everything compared with the records, and
 * put back. An ADD or DEL, netmoor's own change, costs it the reading of a datagram.
 *
 * The main loop only reads. Once everything is to be looked at, or not before a while, it does not even do that: when
 * the kernel has no room for more (ENOBUFS), that alone is reason to look at everything.
 */
import { closeSync } from 'node:fs';
import { errorText, isErrno } from '../../lib/base/errors.ts';
import type { MakeResident, Resident, ResidentHost, ResidentStatus } from '../../lib/cni/resident.ts';
import { openRulesetNews, readNews } from '../../lib/nftables/news.ts';
import type { Concern, News } from '../../lib/nftables/news.ts';
import { receive } from '../../lib/system/syscall.ts';
import type { Watch } from '../../lib/system/reactor.ts';
import { Pace } from './pace.ts';
import { LOOK } from './task.ts';
import type { Looked } from './task.ts';

const OP = 'hear of changes of the ruleset';
/** The kernel sends them in pieces of a page, and larger ones when a message is (NLMSG_GOODSIZE). */
const DATAGRAM = 1 << 16;
/** Read before others have their turn. */
const DATAGRAMS_A_TURN = 64;
/** Milliseconds; a look that is due later is not waited for by reading on. */
const SOON = 1_000;
/** After the start: whoever started the engine has his answer first. */
const START_MS = 500;
/** Who was at work on an attachment meanwhile is looked at again. */
const IN_HAND_MS = 2_000;

class Repairs implements Resident {
  readonly plugins = new Map();
  readonly #host: ResidentHost;
  readonly #pace = new Pace();
  readonly #buffer = Buffer.allocUnsafe(DATAGRAM);
  #fd: number | undefined;
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #concern: Concern | undefined;
  #by: string | undefined;
  /** Who was being attached when something changed: to be looked at when that is done. */
  #inHand: ReadonlySet<string> = new Set();
  #looking: Promise<void> | undefined;
  #stopped = false;
  #told = '';

  constructor(host: ResidentHost) {
    this.#host = host;
  }

  async start(): Promise<void> {
    try {
      this.#fd = openRulesetNews();
      this.#listen();
    } catch (error) {
      this.#host.log('warning', `nobody looks after the rules: ${errorText(error)}`);
      return;
    }
    this.#concern = 'tables';
    this.#pace.later(performance.now() + START_MS);
    this.#schedule();
  }

  /** What is missing another engine, or the next ADD, finds as well. */
  busy(): boolean {
    return false;
  }

  status(): ResidentStatus {
    return { leases: 0, timers: 0 };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#watch?.stop();
    await this.#looking;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #listen(): void {
    if (this.#fd === undefined || this.#watch !== undefined) return;
    this.#watch = this.#host.reactor.watch(this.#fd, () => this.#hear(DATAGRAMS_A_TURN));
  }

  #deafen(): void {
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** Reads what has come, at most so much of it. */
  #hear(most: number): void {
    for (let datagrams = 0; datagrams < most; datagrams++) {
      const news = this.#read();
      if (news === undefined) break;
      this.#note(news);
      if (news.concern !== undefined) this.#pace.changed(performance.now(), news.concern);
    }
    // There is nothing graver to hear.
    if (this.#concern === 'tables') this.#deafen();
    this.#schedule();
  }

  /** The next datagram; undefined when there is none. What was lost may have been anything. */
  #read(): News | undefined {
    if (this.#fd === undefined) return undefined;
    try {
      const length = receive(this.#fd, this.#buffer, OP);
      if (length === undefined) return undefined;
      return readNews(this.#buffer.subarray(0, length));
    } catch (error) {
      if (isErrno(error, 'ENOBUFS')) return { concern: 'tables' };
      this.#host.log('warning', `${OP}: ${errorText(error)}`);
      this.#deafen();
      return undefined;
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { due } = this.#pace;
    if (due === undefined || this.#stopped || this.#looking !== undefined) return;
    const wait = Math.max(0, due - performance.now());
    if (wait > SOON) this.#deafen();
    this.#timer = setTimeout(() => this.#begin(), wait).unref();
  }

  #begin(): void {
    // What came until now is seen by the look; of what comes from now on it may not see all.
    this.#deafen();
    this.#hearAll();
    const { extent, hasChanged } = this.#wanted();
    const by = this.#by === undefined ? '' : ` after ${this.#by} has changed the ruleset`;
    this.#concern = undefined;
    this.#by = undefined;
    this.#pace.begin();
    this.#listen();
    this.#looking = this.#look(extent, hasChanged, by).finally(() => {
      this.#looking = undefined;
      this.#schedule();
    });
  }

  /** Without a change it is for those who were being attached then: their rules may be gone, and any of them. */
  #wanted(): { extent: 'ways' | 'rules'; hasChanged: boolean } {
    const extent = this.#concern === 'ways' && this.#inHand.size === 0 ? 'ways' : 'rules';
    return { extent, hasChanged: this.#concern !== undefined };
  }

  /** Not more than the socket had room for. */
  #hearAll(): void {
    for (let datagrams = 0; datagrams < 1 << 12; datagrams++) {
      const news = this.#read();
      if (news === undefined) return;
      this.#note(news);
    }
  }

  /** Who has done it the kernel says last of all. */
  #note({ concern, by }: News): void {
    if (concern !== undefined && this.#concern !== 'tables') this.#concern = concern;
    if (this.#concern !== undefined) this.#by ??= by;
  }

  async #look(extent: 'ways' | 'rules', hasChanged: boolean, by: string): Promise<void> {
    const began = performance.now();
    try {
      const looked = (await this.#host.runTask(LOOK, { extent })) as unknown as Looked;
      // What was put back may be gone again before one has looked whether it is there.
      const contested = looked.repaired > 0 || (looked.left.length > 0 && this.#concern !== undefined);
      const wait = this.#pace.done(began, performance.now(), contested);
      this.#tell(looked, by);
      if (contested && this.#pace.isFight && wait > SOON) this.#tellOfFight(wait);
      // An ADD may have written its rules before the change, and is on record as attached only after it.
      const inHand = new Set(looked.inHand);
      this.#inHand = hasChanged ? inHand : inHand.intersection(this.#inHand);
      if (this.#inHand.size > 0) this.#pace.later(performance.now() + IN_HAND_MS);
    } catch (error) {
      this.#pace.done(began, performance.now(), true);
      this.#tellOnce(`the rules could not be looked at: ${errorText(error)}`);
      this.#concern = 'tables';
      this.#pace.later(performance.now());
    }
  }

  #tellOfFight(wait: number): void {
    const line = `the rules had to be repaired ${this.#pace.repairs} times in a row`;
    this.#host.log('warning', `${line}: looking again in ${Math.round(wait / 1000)} s`);
  }

  #tell({ mended, left, repaired }: Looked, by: string): void {
    if (repaired > 0) this.#host.log('notice', `repaired${by}: ${mended.join('; ')}`);
    if (left.length > 0) this.#tellOnce(`not as promised, and not repaired: ${left.join('; ')}`);
    else this.#told = '';
  }

  /** Until it is another line. */
  #tellOnce(line: string): void {
    if (this.#told !== line) this.#host.log('warning', line);
    this.#told = line;
  }
}

export const makeRepairs: MakeResident = (host) => new Repairs(host);
