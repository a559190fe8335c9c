/** plugins/dhcp-ipam/resident/: what is written down and what is on the interface, when either cannot be done. */
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Json, ResidentHost } from '../../lib/cni/resident.ts';
import type { Reactor } from '../../lib/system/reactor.ts';
import type { DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import type { Wish4 } from '../../ipam/dhcp/v4/wish.ts';
import { Books } from '../../plugins/dhcp-ipam/resident/books.ts';
import { baseOf } from '../../plugins/dhcp-ipam/resident/base.ts';
import { Client } from '../../plugins/dhcp-ipam/resident/client.ts';
import type { ClientWorld } from '../../plugins/dhcp-ipam/resident/client.ts';
import type { Ports } from '../../plugins/dhcp-ipam/resident/ports.ts';
import type { Change } from '../../plugins/dhcp-ipam/tasks/follow.ts';
import type { Entries } from '../../plugins/dhcp-ipam/tasks/books.ts';
import { dhcpLease, lease4 } from './dhcp-record.ts';
import { WISH } from './dhcp4-messages.ts';

const SINCE = 5_000_000;
const HELD = lease4();
const DATA = { state: 'BOUND', lease: HELD.lease, renewAt: SINCE + 1_800_000 };
const RECORD = dhcpLease('boat', { v4: { ...HELD, data: DATA } });

/** An engine's room in virtual time, whose tasks fail by name when they are told to. */
class Room {
  now = SINCE + 1000;
  readonly failing = new Set<string>();
  readonly written: DhcpLeaseRecord[] = [];
  readonly followed: Change[] = [];
  /** What a plugin has left on record meanwhile. */
  mark: string | null = null;
  #alarms: { at: number; ring: () => void }[] = [];

  get #host(): ResidentHost {
    return {
      world: { now: () => 1_700_000_000_000 } as ResidentHost['world'],
      reactor: this.#reactor,
      log: () => {},
      runTask: async (name, argument) => this.#run(name.replace('dhcp-ipam ', ''), argument),
    };
  }

  get #reactor(): Reactor {
    const at = (when: number, ring: () => void): { cancel(): void } => {
      const alarm = { at: when, ring };
      this.#alarms.push(alarm);
      const cancel = (): void => {
        this.#alarms = this.#alarms.filter((each) => each !== alarm);
      };
      return { cancel };
    };
    return { now: () => this.now, at } as Reactor;
  }

  #run(name: string, argument: Json): Json | undefined {
    if (this.failing.has(name) || name === 'enter') throw new NetmoorError('try-again', `${name} fails`);
    if (name === 'follow') this.followed.push(argument as unknown as Change);
    if (name !== 'keep') return undefined;
    const { put } = argument as unknown as Entries;
    this.written.push(...put);
    return put.map(() => this.mark);
  }

  client(record: DhcpLeaseRecord): Client {
    const host = this.#host;
    const world: ClientWorld = {
      host,
      books: new Books(host),
      reactor: this.#reactor,
      random: () => 0.5,
      ports: {} as Ports,
    };
    const client = new Client(baseOf(record), { v4: WISH as Wish4 }, world);
    client.resume(record);
    return client;
  }

  /** All that is due until then, and what comes of it. */
  async until(now: number): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const next = this.#alarms.toSorted((a, b) => a.at - b.at).find(({ at }) => at <= now);
      if (next === undefined) break;
      this.now = Math.max(this.now, next.at);
      this.#alarms = this.#alarms.filter((each) => each !== next);
      next.ring();
    }
    this.now = now;
  }
}

const LAPSED = SINCE + 3_601_000;

t.test('an address that has lapsed is taken away, whatever the store does', async (t) => {
  const room = new Room();
  const client = room.client(RECORD);
  t.teardown(() => client.close());
  room.failing.add('keep');
  await room.until(LAPSED);
  t.equal(room.followed.length, 1);
  t.match(room.followed[0], { before: { v4: HELD.lease }, after: { v4: undefined } });
  t.strictSame(room.written, []);
  room.failing.clear();
  await room.until(LAPSED + 20_000);
  t.match(room.written.at(-1), { v4: { lease: undefined, data: { state: 'SELECTING' } } });
  t.notOk(room.written.at(-1)?.applied);
  t.equal(room.followed.length, 1);
});

t.test('what the interface still has is known after a crash in between', async (t) => {
  const room = new Room();
  const client = room.client(RECORD);
  room.failing.add('follow');
  await room.until(LAPSED);
  const last = room.written.at(-1);
  t.match(last, { v4: { lease: undefined }, applied: { v4: HELD.lease } });
  client.close();
  if (last === undefined) return;

  const next = new Room();
  next.now = room.now;
  const heir = next.client(JSON.parse(JSON.stringify(last)) as DhcpLeaseRecord);
  t.teardown(() => heir.close());
  await next.until(next.now + 1000);
  t.match(next.followed, [{ before: { v4: HELD.lease }, after: { v4: undefined } }]);
  t.notOk(next.written.at(-1)?.applied, 'and then it is as it should be');
});

t.test('an interface that could not be changed is changed later', async (t) => {
  const room = new Room();
  const client = room.client(RECORD);
  t.teardown(() => client.close());
  room.failing.add('follow');
  await room.until(LAPSED + 10_000);
  t.strictSame(room.followed, []);
  room.failing.clear();
  await room.until(LAPSED + 60_000);
  t.match(room.followed, [{ before: { v4: HELD.lease } }]);
  t.notOk(room.written.at(-1)?.applied);
});

t.test('what a plugin has marked as gone is known to be when something is written down', async (t) => {
  const room = new Room();
  const client = room.client(RECORD);
  t.teardown(() => client.close());
  room.mark = 'it was detached while there was no engine';
  t.equal(client.gone, undefined);
  await room.until(LAPSED);
  t.equal(client.gone, room.mark);
});
