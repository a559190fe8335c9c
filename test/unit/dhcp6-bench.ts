/**
 * A DHCPv6 client on a bench: virtual time, and everything it does written down. Whatever it remembers goes through
 * JSON after each step and its messages over the wire, and each time another process could go on with it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Lease6 } from '../../ipam/dhcp/lease.ts';
import type { Event } from '../../ipam/dhcp/machine.ts';
import { client6 } from '../../ipam/dhcp/v6/client.ts';
import type { Data6, Wish6 } from '../../ipam/dhcp/v6/client.ts';
import { decodeMessage6, encodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Message6, Options6 } from '../../ipam/dhcp/v6/message.ts';
import type { Step6 } from '../../ipam/dhcp/v6/client/step.ts';
import { randomOf } from '../fuzz/random.ts';

export interface Sent {
  /** Milliseconds. */
  readonly at: number;
  readonly message: Message6;
}

export const SERVER_ADDRESS = 'fe80::1';

export function overWire(message: Message6): Message6 {
  return decodeMessage6(encodeMessage6(message));
}

export interface BenchOptions {
  readonly seed?: number;
  readonly random?: () => number;
  readonly remembered?: Lease6;
  /** Milliseconds: when it begins. */
  readonly now?: number;
}

export class Bench {
  readonly wish: Wish6;
  now: number;
  readonly sent: Sent[] = [];
  /** "hold", "lose expired", "end": the other actions, but for notes. */
  readonly deeds: string[] = [];
  readonly notes: string[] = [];
  /** What the container has. */
  using: Lease6 | undefined;
  #data!: Data6;
  #wakeAt: number | undefined;
  readonly #random: () => number;

  constructor(
    wish: Wish6,
    { seed = 1, random = randomOf(seed), remembered, now = 1_000_000 }: BenchOptions = {},
  ) {
    this.wish = wish;
    this.now = now;
    this.#random = random;
    this.#take(client6.begin(wish, { now, random }, remembered));
  }

  get state(): string {
    return client6.stateOf(this.#data);
  }

  get lease(): Lease6 | undefined {
    return client6.leaseOf(this.#data);
  }

  get data(): Data6 {
    return this.#data;
  }

  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** The last message it sent. */
  get asked(): Message6 {
    const last = this.sent.at(-1);
    if (last === undefined) throw new Error('it sent nothing');
    return last.message;
  }

  #take({ data, actions, wakeAt }: Step6): void {
    const written = JSON.parse(JSON.stringify(data)) as Data6;
    if (!isDeepStrictEqual(written, data)) throw new Error(`not JSON: ${JSON.stringify(data)}`);
    this.#data = written;
    this.#wakeAt = wakeAt;
    for (const action of actions) {
      if (action.do === 'send') {
        if (action.to !== 'everyone' || action.from !== undefined) throw new Error('sent to one');
        this.sent.push({ at: this.now, message: overWire(action.message) });
      } else if (action.do === 'note') this.notes.push(action.text);
      else this.deeds.push(action.do === 'lose' ? `lose ${action.why}` : action.do);
      if (action.do === 'hold') this.using = action.lease;
      if (action.do === 'lose') this.using = undefined;
    }
    this.#restart();
  }

  /** What another process would know is what this one knows. */
  #restart(): void {
    const resumed = client6.resume(this.wish, this.#data, { now: this.now, random: this.#random });
    const expired = this.#wakeAt !== undefined && this.#wakeAt <= this.now;
    if (!expired && (resumed.actions.length > 0 || resumed.wakeAt !== this.#wakeAt))
      throw new Error(`resumes otherwise: ${JSON.stringify(resumed)}`);
    if (!isDeepStrictEqual(this.using, this.lease) && this.state !== 'RELEASING' && this.state !== 'RELEASED')
      throw new Error(`${this.state} holds ${JSON.stringify(this.lease)}, not ${JSON.stringify(this.using)}`);
  }

  feed(event: Event<Message6>): void {
    this.#take(client6.step(this.wish, this.#data, event, { now: this.now, random: this.#random }));
  }

  receive(message: Message6, address = SERVER_ADDRESS): void {
    this.feed({ is: 'message', message: overWire(message), from: { address } });
  }

  /** An answer to the last question, as a server would write it. */
  answer(type: 'ADVERTISE' | 'REPLY', options: Options6, changes: Partial<Message6> = {}): void {
    const { transaction } = this.asked;
    this.receive({ type, transaction, options: { clientId: this.wish.duid, ...options }, ...changes });
  }

  /** Goes on in another process that was started at `now`. */
  resumeAt(now: number): void {
    this.now = now;
    this.#take(client6.resume(this.wish, this.#data, { now, random: this.#random }));
  }

  /** Lets time pass until then, waking it whenever it asked for that. */
  until(time: number): void {
    for (let wakes = 0; this.#wakeAt !== undefined && this.#wakeAt <= time; wakes++) {
      if (wakes > 100_000) throw new Error(`no peace in ${this.state}`);
      this.now = Math.max(this.now, this.#wakeAt);
      this.feed({ is: 'time' });
    }
    this.now = Math.max(this.now, time);
  }

  after(seconds: number): void {
    this.until(this.now + seconds * 1000);
  }
}
