/**
 * The engine looks after the ways out of networks with an egress: a tunnel that comes back is led to again. It is told
 * by the kernel. Rules change when the first container of such a network comes, and when somebody flushes them; as long
 * as there is such a network, links, addresses and routes count as well.
 */
import { errorText, isErrno } from '../../../lib/base/errors.ts';
import type { MakeResident, Resident, ResidentHost, ResidentStatus } from '../../../lib/cni/resident.ts';
import { listenFor } from '../../../lib/netlink/news.ts';
import type { Ear } from '../../../lib/netlink/news.ts';
import {
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
} from '../../../lib/netlink/uapi.ts';
import type { Alarm } from '../../../lib/system/reactor.ts';
import { receive } from '../../../lib/system/syscall.ts';
import type { Restored } from './restore.ts';
import { RESTORE } from './tasks.ts';

const ALWAYS = [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE] as const;
const WHILE_THERE_IS_ONE = [
  RTNLGRP_LINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
] as const;

/** Milliseconds: changes come in swarms, and one look is for all of them. */
const GATHER_MS = 30;
/** Between the end of one look and the next; what came meanwhile is looked at then. */
const REST_MS = 300;
const DATAGRAMS_A_TURN = 64;

class EgressWatch implements Resident {
  readonly plugins = new Map();
  readonly #host: ResidentHost;
  readonly #buffer = Buffer.allocUnsafe(4096);
  #always: Ear[] = [];
  #more: Ear[] = [];
  #alarm: Alarm | undefined;
  #restUntil = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #bridges = 0;
  #stopped = false;
  #told = '';

  constructor(host: ResidentHost) {
    this.#host = host;
  }

  async start(): Promise<void> {
    try {
      this.#always = ALWAYS.map((group) => this.#listen(group));
    } catch (error) {
      this.#host.log('warning', `nobody looks after ways out: ${errorText(error)}`);
      return;
    }
    this.#soon();
  }

  busy(): boolean {
    return this.#bridges > 0;
  }

  status(): ResidentStatus {
    return { leases: 0, timers: 0 };
  }

  /** The kernel keeps to what it was told, by which nothing leaks. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm?.cancel();
    await this.#looking;
    for (const ear of [...this.#always, ...this.#more]) ear.close();
    this.#always = [];
    this.#more = [];
  }

  #listen(group: number): Ear {
    return listenFor(this.#host.reactor, group, (fd) => this.#hear(fd));
  }

  /** What it says is of no account, nor what was lost of it: everything is looked at. */
  #hear(fd: number): void {
    for (let datagrams = 0; datagrams < DATAGRAMS_A_TURN; datagrams++) {
      try {
        if (receive(fd, this.#buffer, 'hear of ways out') === undefined) break;
      } catch (error) {
        if (isErrno(error, 'ENOBUFS')) continue;
        this.#host.log('warning', `hear of ways out: ${errorText(error)}`);
        break;
      }
    }
    this.#soon();
  }

  #soon(): void {
    if (this.#stopped) return;
    if (this.#looking !== undefined) {
      this.#again = true;
      return;
    }
    const { reactor } = this.#host;
    const at = Math.max(reactor.now() + GATHER_MS, this.#restUntil);
    this.#alarm ??= reactor.at(at, () => {
      this.#alarm = undefined;
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        this.#restUntil = reactor.now() + REST_MS;
        if (this.#again) this.#soon();
      });
    });
  }

  async #look(): Promise<void> {
    this.#again = false;
    try {
      this.#follow((await this.#host.runTask(RESTORE, null)) as unknown as Restored);
    } catch (error) {
      this.#host.log('warning', `ways out could not be looked at: ${errorText(error)}`);
    }
  }

  #follow({ bridges, changed, stranded, notes }: Restored): void {
    const { log } = this.#host;
    for (const note of notes) log('warning', note);
    if (changed.length > 0) log('notice', `brought up to date: ${changed.join('; ')}`);
    const told = stranded.join('; ');
    if (told !== this.#told && told !== '') log('warning', `${told}; nothing leaks`);
    this.#told = told;
    this.#bridges = bridges;
    if (bridges > 0 && this.#more.length === 0) {
      this.#more = WHILE_THERE_IS_ONE.map((group) => this.#listen(group));
      // Whatever happened before somebody listened.
      this.#again = true;
    } else if (bridges === 0) {
      for (const ear of this.#more) ear.close();
      this.#more = [];
    }
  }
}

export const makeEgressWatch: MakeResident = (host) => new EgressWatch(host);
