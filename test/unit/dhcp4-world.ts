/**
 * A DHCPv4 client and servers on a link that loses, delays and doubles frames, in virtual time and repeatable from a
 * seed. Looks at every step whether the client has only what a server it chose has promised.
 */
import type { Lease4 } from '../../ipam/dhcp/lease.ts';
import type { Event, Step } from '../../ipam/dhcp/machine.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { client4 } from '../../ipam/dhcp/v4/client.ts';
import { hostOf } from '../../ipam/dhcp/v4/data.ts';
import type { Data4 } from '../../ipam/dhcp/v4/data.ts';
import type { Action4 } from '../../ipam/dhcp/v4/enter.ts';
import { decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import type { Wish4 } from '../../ipam/dhcp/v4/wish.ts';
import { randomOf } from '../fuzz/random.ts';
import { WISH } from './dhcp4-messages.ts';
import type { ServerModel } from './dhcp4-server-model.ts';

type Event4 = Event<Message4>;

export interface WorldOptions {
  readonly seed: number;
  readonly servers: readonly ServerModel[];
  readonly wish?: Partial<Wish4>;
  /** Of frames that get lost, that come twice. */
  readonly loss?: number;
  readonly doubled?: number;
  /** Milliseconds at most. */
  readonly delay?: number;
  /** How often another process goes on, of all events. */
  readonly restarts?: number;
  /** Whether somebody else has an address. */
  readonly taken?: () => boolean;
}

const FROM = { mac: '02:00:00:00:00:01', address: '0.0.0.0', port: CLIENT_PORT };
const TO = { mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255', port: SERVER_PORT };

/** What a message looks like behind the link. */
function carried(message: Message4): Message4 {
  return decodeMessage(
    decodeFrame(encodeFrame({ from: FROM, to: TO, payload: encodeMessage(message) })).payload,
  );
}

export class World {
  now = 0;
  readonly trace: string[] = [];
  readonly violations: string[] = [];
  /** All that servers have ever sent. */
  readonly heard: Message4[] = [];
  readonly wish: Wish4;
  readonly #options: WorldOptions;
  readonly #random: () => number;
  readonly #network: () => number;
  readonly #restart: () => number;
  readonly #queue: { at: number; run: () => void }[] = [];
  #data: Data4;
  #wakeAt: number | undefined;
  #held: Lease4 | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.wish = { ...WISH, ...options.wish };
    this.#random = randomOf(options.seed);
    this.#network = randomOf(options.seed + 1);
    this.#restart = randomOf(options.seed + 2);
    const step = client4.begin(this.wish, this.#chance);
    this.#data = step.data;
    this.#take(step);
  }

  get #chance(): { now: number; random: () => number } {
    return { now: this.now, random: this.#random };
  }

  get state(): string {
    return client4.stateOf(this.#data);
  }

  get xid(): number {
    return 'exchange' in this.#data ? this.#data.exchange.xid : 0;
  }

  get lease(): Lease4 | undefined {
    return this.#held;
  }

  #at(at: number, run: () => void): void {
    const place = this.#queue.findLastIndex((entry) => entry.at <= at);
    this.#queue.splice(place + 1, 0, { at, run });
  }

  /** Lost, late or doubled, as it happens. */
  #carry(run: () => void): void {
    const { loss = 0, doubled = 0, delay = 50 } = this.#options;
    const times = this.#network() < loss ? 0 : this.#network() < doubled ? 2 : 1;
    for (let copy = 0; copy < times; copy++) this.#at(this.now + 1 + this.#network() * delay, run);
  }

  /** A message comes to the client. */
  deliver(message: Message4): void {
    const told = carried(message);
    this.heard.push(told);
    this.#carry(() => this.on({ is: 'message', message: told, from: { address: '192.0.2.254' } }));
  }

  on(event: Event4): void {
    const { restarts = 0 } = this.#options;
    if (this.state !== 'CHECKING' && this.#restart() < restarts) this.#resume();
    this.#take(client4.step(this.wish, this.#data, event, this.#chance));
  }

  /** Another process: nobody may see it, but for a timer that was due. */
  #resume(): void {
    const stored = JSON.parse(JSON.stringify(this.#data)) as Data4;
    if (this.#wakeAt !== undefined && this.now >= this.#wakeAt) return;
    const { data, actions, wakeAt } = client4.resume(this.wish, stored, this.#chance);
    if (actions.length > 0) this.violations.push(`${this.now}: a restart in ${this.state} does something`);
    if (wakeAt !== this.#wakeAt)
      this.violations.push(`${this.now}: a restart in ${this.state} changes the timer`);
    this.#data = data;
  }

  #take({ data, actions, wakeAt }: Step<Data4, Message4, Lease4>): void {
    this.#data = data;
    this.#wakeAt = wakeAt;
    for (const action of actions) this.#act(action);
    if (client4.leaseOf(data) !== undefined && this.#held === undefined)
      this.violations.push(`${this.now}: a lease in ${this.state} that nobody was told of`);
    if (wakeAt !== undefined) this.#at(Math.max(this.now, wakeAt), () => this.#wake(wakeAt));
  }

  #wake(at: number): void {
    if (this.#wakeAt === at && this.now >= at) this.on({ is: 'time' });
  }

  #act(action: Action4): void {
    if (action.do !== 'note')
      this.trace.push(
        `${this.now.toFixed(3)} ${action.do} ${'message' in action ? `${action.message.type} ${action.message.xid}` : ''}`,
      );
    if (action.do === 'hold') this.#hold(action.lease);
    if (action.do === 'lose' || action.do === 'end') this.#held = undefined;
    if (action.do === 'check') this.#check(action.addresses);
    if (action.do !== 'send') return;
    const message = carried(action.message);
    for (const server of this.#options.servers)
      if (action.to === 'everyone' || action.to === server.id)
        this.#carry(() => this.#serve(server, message));
  }

  #serve(server: ServerModel, message: Message4): void {
    const answer = server.receive(message, this.now);
    if (answer !== undefined) this.deliver(answer);
  }

  #check(addresses: readonly string[]): void {
    const taken = this.#options.taken?.() ? addresses : [];
    this.#at(this.now + 200, () => {
      if (this.state === 'CHECKING') this.on({ is: 'checked', taken });
    });
  }

  #hold(lease: Lease4): void {
    this.#held = lease;
    const server = this.#options.servers.find(({ id }) => id === lease.server);
    const promise = server?.promise(hostOf(lease));
    const until = lease.since + (lease.validFor ?? 0) * 1000;
    if (promise?.client !== this.wish.clientId || promise.until < until)
      this.violations.push(`${this.now}: holds ${lease.address} of ${lease.server}, which never said so`);
  }

  /** Until then. */
  run(end: number): this {
    for (let next = this.#queue[0]; next !== undefined && next.at <= end; next = this.#queue[0]) {
      this.#queue.shift();
      this.now = next.at;
      const held = this.#held;
      if (held?.validFor !== undefined && this.now > held.since + held.validFor * 1000)
        this.violations.push(`${this.now}: ${held.address} is over, and still in use`);
      next.run();
    }
    this.now = end;
    return this;
  }
}
