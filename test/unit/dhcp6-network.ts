/** A link with a client and servers on it, that loses, delays and repeats messages by a seeded dice. */
import type { Message6 } from '../../ipam/dhcp/v6/message.ts';
import { randomOf } from '../fuzz/random.ts';
import type { Bench } from './dhcp6-bench.ts';
import type { Server6 } from './dhcp6-server.ts';

export interface NetworkOptions {
  readonly seed?: number;
  /** Of each message, 0 to 1. */
  readonly loss?: number;
  /** Milliseconds, at most. */
  readonly latency?: number;
  /** How many of the answers come twice, 0 to 1. */
  readonly repeated?: number;
}

interface Delivery {
  readonly at: number;
  readonly message: Message6;
  readonly from: string;
}

export class Network {
  readonly #bench: Bench;
  readonly #servers: readonly Server6[];
  #options: NetworkOptions;
  readonly #random: () => number;
  #deliveries: Delivery[] = [];
  #seen = 0;
  /** Servers that hear nothing now. */
  readonly away = new Set<Server6>();

  constructor(bench: Bench, servers: readonly Server6[], options: NetworkOptions = {}) {
    this.#bench = bench;
    this.#servers = servers;
    this.#options = options;
    this.#random = randomOf(options.seed ?? 1);
    this.#carry();
  }

  /** From now on everything arrives, soon and once. */
  calm(): void {
    this.#options = {};
  }

  #lost(): boolean {
    return this.#random() < (this.#options.loss ?? 0);
  }

  #post(server: Server6, index: number, question: Message6, at: number): void {
    const answer = server.answer(question);
    if (answer === undefined || this.#lost()) return;
    const copies = this.#random() < (this.#options.repeated ?? 0) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delay = 1 + this.#random() * (this.#options.latency ?? 1);
      this.#deliveries.push({ at: at + delay, message: answer, from: `fe80::${index + 1}` });
    }
  }

  /** Takes to the servers what the client has sent since. */
  #carry(): void {
    for (const { message, at } of this.#bench.sent.slice(this.#seen))
      for (const [index, server] of this.#servers.entries())
        if (!this.away.has(server) && !this.#lost()) this.#post(server, index, message, at);
    this.#seen = this.#bench.sent.length;
    this.#deliveries.sort((one, other) => one.at - other.at);
  }

  /** Milliseconds of virtual time. */
  until(time: number): void {
    this.#carry();
    for (;;) {
      const delivery = this.#deliveries[0];
      const wake = this.#bench.wakeAt ?? Number.POSITIVE_INFINITY;
      if (Math.min(delivery?.at ?? Number.POSITIVE_INFINITY, wake) > time) break;
      if (delivery && delivery.at <= wake) {
        this.#deliveries.shift();
        this.#bench.now = Math.max(this.#bench.now, delivery.at);
        this.#bench.receive(delivery.message, delivery.from);
      } else {
        this.#bench.now = Math.max(this.#bench.now, wake);
        this.#bench.feed({ is: 'time' });
      }
      this.#carry();
    }
    this.#bench.now = Math.max(this.#bench.now, time);
  }

  after(seconds: number): void {
    this.until(this.#bench.now + seconds * 1000);
  }
}
