/** A DHCPv4 client in virtual time: what it sends and does, event by event. Its data goes through JSON each time. */
import type { Lease4 } from '../../ipam/dhcp/lease.ts';
import type { Event, Sender, Step } from '../../ipam/dhcp/machine.ts';
import { client4 } from '../../ipam/dhcp/v4/client.ts';
import type { Data4 } from '../../ipam/dhcp/v4/data.ts';
import type { Action4 } from '../../ipam/dhcp/v4/enter.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import { LEASE_TIME, SERVER_IDENTIFIER, SUBNET_MASK, written } from '../../ipam/dhcp/v4/options/known.ts';
import type { Wish4 } from '../../ipam/dhcp/v4/wish.ts';
import { WISH, reply } from './dhcp4-messages.ts';

export const SERVER = '192.0.2.1';
export const OTHER = '192.0.2.2';
export const ADDRESS = '192.0.2.50';
type Sent = Extract<Action4, { do: 'send' }>;
type Entry = readonly [number, Buffer];

export interface Told {
  readonly server?: string;
  readonly address?: string;
  readonly lease?: number;
  readonly more?: readonly Entry[];
  readonly head?: Partial<Message4>;
}

export class Rig {
  now = 1000;
  data: Data4;
  wakeAt: number | undefined;
  /** Of the latest step. */
  actions: readonly Action4[] = [];
  readonly sent: (Sent & { at: number })[] = [];
  readonly wish: Wish4;
  #count = 0;

  constructor(wish: Partial<Wish4> = {}, remembered?: Lease4) {
    this.wish = { ...WISH, ...wish };
    this.data = this.take(client4.begin(this.wish, this.chance, remembered));
  }

  /** In the middle, so that there is no jitter to speak of; never the same, so that xids are not. */
  get chance(): { now: number; random: () => number } {
    return { now: this.now, random: () => 0.5 + ++this.#count / 1e7 };
  }

  take({ data, actions, wakeAt }: Step<Data4, Message4, Lease4>): Data4 {
    this.data = JSON.parse(JSON.stringify(data)) as Data4;
    this.wakeAt = wakeAt;
    this.actions = actions;
    for (const action of actions) if (action.do === 'send') this.sent.push({ ...action, at: this.now });
    return this.data;
  }

  on(event: Event<Message4>): this {
    this.take(client4.step(this.wish, this.data, event, this.chance));
    return this;
  }

  /** Until its timer, which fires. */
  wake(): this {
    if (this.wakeAt === undefined) throw new Error(`${this.state} waits for nothing`);
    this.now = Math.max(this.now, this.wakeAt);
    return this.on({ is: 'time' });
  }

  /** In another process, so much later. */
  resume(later = 0): this {
    this.now += later;
    this.take(client4.resume(this.wish, this.data, this.chance));
    return this;
  }

  receive(message: Message4, from: Sender = { address: SERVER, mac: '02:00:00:00:00:09' }): this {
    return this.on({ is: 'message', message, from });
  }

  /** An answer to the latest message. */
  answer(
    type: Message4['type'],
    { server = SERVER, address = ADDRESS, lease = 3600, more = [], head = {} }: Told = {},
  ): Message4 {
    const entries: Entry[] = [written(SERVER_IDENTIFIER, server)];
    if (type !== 'nak') entries.push(written(LEASE_TIME, lease), written(SUBNET_MASK, '255.255.255.0'));
    const yiaddr = type === 'nak' ? '0.0.0.0' : address;
    return reply(type, this.last.message.xid, [...entries, ...more], { yiaddr, ...head });
  }

  answered(type: Message4['type'], told?: Told): this {
    return this.receive(this.answer(type, told));
  }

  /** To BOUND, by the usual way. */
  bind(told?: Told): this {
    return this.answered('offer', told).answered('ack', told);
  }

  get state(): string {
    return client4.stateOf(this.data);
  }

  get lease(): Lease4 | undefined {
    return client4.leaseOf(this.data);
  }

  get last(): Sent & { at: number } {
    const last = this.sent.at(-1);
    if (last === undefined) throw new Error('nothing has been sent');
    return last;
  }

  /** What the latest step did, but for notes, in words. */
  get did(): string[] {
    return this.actions.flatMap((action) => {
      if (action.do === 'note') return [];
      if (action.do === 'lose') return [`lose ${action.why}`];
      if (action.do !== 'send') return [action.do];
      return [
        `${action.message.type} to ${action.to}${action.from === undefined ? '' : ` from ${action.from}`}`,
      ];
    });
  }

  /** Whole seconds until the timer. */
  get wait(): number {
    return Math.round(((this.wakeAt ?? Number.NaN) - this.now) / 1000);
  }
}
