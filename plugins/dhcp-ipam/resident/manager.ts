/**
 * All DHCP clients of this host. They live in the store: what an engine has written down the next one goes on with,
 * without asking anybody as long as a lease is valid.
 */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import type { Uncollected } from '../../../lib/mooring/collect.ts';
import { here } from '../../../lib/mooring/vantage.ts';
import { bareKey, formatKey } from '../../../ipam/record.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';
import type { DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { Wish4 } from '../../../ipam/dhcp/v4/wish.ts';
import type { Wish6 } from '../../../ipam/dhcp/v6/client.ts';
import type { DhcpConfig } from '../config.ts';
import type { Leases } from '../leased.ts';
import type { Entered, Whereabouts } from '../tasks/enter.ts';
import type { Segment } from '../tasks/whence.ts';
import { baseFor, wishesFor } from './acquisition.ts';
import type { Acquisition } from './acquisition.ts';
import { baseOf } from './base.ts';
import { Client } from './client.ts';
import type { ClientWorld } from './client.ts';
import { GivenBack } from './given-back.ts';
import { runTask } from './run-task.ts';

/** How long a bridge port is waited for; beyond it messages are sent all the same, and again when they are lost. */
const PORT_MS = 2000;

/** Farewells at one time. */
const MOST_AT_ONCE = 32;

/** What an earlier life of a key held. */
function remembered({ v4, v6 }: Pick<DhcpLeaseRecord, 'v4' | 'v6'>): Leases {
  return { v4: v4?.lease, v6: v6?.lease };
}

export class Manager {
  readonly #world: ClientWorld;
  readonly #clients = new Map<string, Client>();
  /** Of an earlier boot: their containers are gone, but the servers may still hold their addresses for them. */
  readonly #former = new Map<string, DhcpLeaseRecord>();
  /** Who is being taken leave of. */
  readonly #farewells = new Map<string, Promise<void>>();
  readonly #givenBack = new GivenBack();

  /** Whose records are to go. */
  readonly #unforgotten = new Map<string, AttachmentKey>();

  constructor(world: ClientWorld) {
    this.#world = world;
  }

  get size(): number {
    return this.#clients.size;
  }

  get clients(): readonly Client[] {
    return [...this.#clients.values()];
  }

  /** Goes on with what is written down. */
  async start(): Promise<void> {
    const records = await this.#world.books.recall();
    const { bootId } = this.#world.host.world;
    const { netns, id } = here(this.#world.host.world);
    for (const record of records) {
      if (record.host.id !== id) continue;
      if (record.bootId !== bootId) await this.#remember(record);
      else if (record.host.netns === netns) this.#resume(record);
    }
  }

  /** As it was written down. */
  #clientOf(record: DhcpLeaseRecord): Client {
    const { v4, v6 } = record;
    const wishes = { v4: v4?.wish as Wish4 | undefined, v6: v6?.wish as Wish6 | undefined };
    return new Client(baseOf(record), wishes, this.#world);
  }

  #resume(record: DhcpLeaseRecord): void {
    const client = this.#clientOf(record);
    this.#clients.set(formatKey(record), client);
    try {
      client.resume(record);
    } catch (error) {
      this.#world.host.log('error', `dhcp ${formatKey(record)} cannot go on: ${errorText(error)}`);
    }
  }

  async #remember(record: DhcpLeaseRecord): Promise<void> {
    const { lapsesAt } = record;
    if (lapsesAt !== undefined && lapsesAt <= this.#world.host.world.now())
      await this.#world.books.remove(bareKey(record));
    else this.#former.set(formatKey(record), record);
  }

  /** Throws NetmoorError 'not-available' when no server has leased anything in time; then nothing is left behind. */
  async acquire({ key, config, netns }: Acquisition): Promise<Leases> {
    const name = formatKey(key);
    await this.#farewells.get(name);
    const entered = await this.#enter(key, config, netns);
    // Its earlier life may have been found to be over meanwhile.
    await this.#farewells.get(name);
    const before = this.#clients.get(name);
    const earlier = before ? remembered(before.record) : this.#earlierBoot(name);
    before?.close();
    const wanted = { key, config, netns };
    const base = baseFor(wanted, entered, this.#world);
    const wishes = wishesFor(wanted, entered, this.#world, this.#givenBack.lastOf(name));
    const client = new Client(base, wishes, this.#world);
    this.#clients.set(name, client);
    this.#unforgotten.delete(name);
    try {
      await client.acquire(entered, earlier, config.timeout);
      this.#former.delete(name);
      return client.leases;
    } catch (error) {
      await this.#giveUp(name, client);
      throw error;
    }
  }

  async #enter(key: AttachmentKey, { v6 }: DhcpConfig, netns: string): Promise<Entered> {
    const ipv6 = v6 === undefined ? 'none' : v6.stateless ? 'stateless' : 'stateful';
    const where: Whereabouts = { path: netns, ifname: key.ifname, prepare: { ipv6 } };
    const { host, ports, reactor } = this.#world;
    return ports.listening(async () => {
      const since = reactor.now();
      const entered = await runTask<Entered>(host, 'enter', where);
      if (entered.port !== undefined) await ports.until(entered.port, since, PORT_MS);
      return entered;
    });
  }

  /** Only DHCPv4 has a way to ask for an address of before that does not depend on how long it was valid. */
  #earlierBoot(name: string): Leases {
    const former = this.#former.get(name);
    return former ? { v4: former.v4?.lease } : {};
  }

  async #giveUp(name: string, client: Client): Promise<void> {
    await this.#farewell(name, client, async () => {
      await client.release(undefined);
    });
  }

  /**
   * Takes a client from among those that live, then from the store: who comes again under its key waits until that is
   * done, or his own record would go.
   */
  async #farewell(name: string, client: Client, part: () => Promise<void>): Promise<void> {
    if (this.#clients.get(name) === client) this.#clients.delete(name);
    this.#givenBack.note(name, client.leases);
    const said = part().then(async () => this.#forget(bareKey(client.base)));
    // GC may take leave of whose ADD fails over it, and takes leave itself.
    const settled = Promise.allSettled([this.#farewells.get(name), said]).then(() => {});
    this.#farewells.set(name, settled);
    try {
      await said;
    } finally {
      if (this.#farewells.get(name) === settled) this.#farewells.delete(name);
    }
  }

  /** What cannot be taken out of the store now is taken out later. */
  async #forget(key: AttachmentKey): Promise<void> {
    const name = formatKey(key);
    this.#unforgotten.set(name, key);
    await this.#world.books.remove(key);
    this.#unforgotten.delete(name);
  }

  /** Absence is fine: it was released before, or never held anything. */
  async release(key: AttachmentKey): Promise<void> {
    const name = formatKey(key);
    await this.#farewells.get(name);
    const client = this.#clients.get(name);
    this.#former.delete(name);
    if (client === undefined) return this.#forget(bareKey(key));
    return this.#farewell(name, client, async () => {
      await client.lookForDuplicates();
      const { record } = client;
      if (!(await client.release(undefined))) await this.#releaseFromElsewhere(record);
    });
  }

  /** Releases those of the network that `keep` does not vouch for. Returns what went wrong, in words. */
  async collect(network: string, keep: (key: AttachmentKey) => boolean): Promise<readonly Uncollected[]> {
    const former = [...this.#former.values()];
    const failures: Uncollected[] = [];
    for (const held of [...this.clients.map(({ base }) => base), ...former]) {
      const key = bareKey(held);
      if (key.network !== network || keep(key)) continue;
      try {
        await this.release(key);
      } catch (error) {
        failures.push({ what: `${formatKey(key)}: ${errorText(error)}`, error });
      }
    }
    return failures;
  }

  /** The link to the servers was down, or the host slept. */
  doubt(concerns: (client: Client) => boolean): void {
    for (const client of this.clients.filter(concerns)) client.doubt();
  }

  /** Gives back what containers held that are gone, or that a plugin without an engine has detached. */
  async sweep(): Promise<void> {
    const late = [...this.#unforgotten].filter(([name]) => !this.#farewells.has(name));
    await Promise.allSettled(late.map(async ([, key]) => this.#forget(key)));
    const clients = this.clients;
    if (clients.length === 0) return;
    const where = clients.map(
      ({ base: { netns, ifname, link } }) => ({ ...netns, ifname, link }) satisfies Whereabouts,
    );
    const reasons = await runTask<(string | null)[]>(this.#world.host, 'gone', where);
    const gone = clients.flatMap((client, index) => {
      const reason = client.gone ?? reasons[index];
      return reason ? [{ client, reason }] : [];
    });
    // Those of DHCPv6 wait for an answer each.
    for (let first = 0; first < gone.length; first += MOST_AT_ONCE) {
      const some = gone.slice(first, first + MOST_AT_ONCE);
      await Promise.all(some.map(async ({ client, reason }) => this.#bury(client, reason)));
    }
  }

  async #bury(client: Client, reason: string): Promise<void> {
    const name = formatKey(client.base);
    if (this.#clients.get(name) !== client) return;
    this.#world.host.log('notice', `dhcp ${name}: ${reason}`);
    try {
      await this.#farewell(name, client, async () => this.#releaseFromElsewhere(client.record, client));
    } catch (error) {
      this.#world.host.log('error', `dhcp ${name}: ${errorText(error)}`);
      if (client.isClosed) return;
      // It is looked at again, unless somebody new has its name by now.
      if (this.#clients.has(name)) client.close();
      else this.#clients.set(name, client);
    }
  }

  /** From the host's side of the LAN, in the container's name; what cannot be given back lapses. */
  async #releaseFromElsewhere(record: DhcpLeaseRecord, client?: Client): Promise<void> {
    const { host } = this.#world;
    const name = formatKey(record);
    const told = record.segment;
    const argument = { key: bareKey(record), ...(told === undefined ? {} : { told }) };
    const segment = await runTask<Segment | null>(host, 'whence', argument);
    const bearer = client ?? this.#bearerOf(record);
    if (segment === null || !(await bearer.release(segment)))
      host.log('warning', `dhcp ${name}: its lease cannot be given back, and lapses`);
    bearer.close();
  }

  /** A client that has nothing to do but to say farewell. */
  #bearerOf(record: DhcpLeaseRecord): Client {
    const { v4, v6 } = record;
    const client = this.#clientOf(record);
    client.resume({ ...(v4 ? { v4 } : {}), ...(v6 ? { v6 } : {}) });
    return client;
  }

  stop(): void {
    for (const client of this.clients) client.close();
  }

  /** Whether the lease does what ADD promised; asks no server. Throws NetmoorError('check-failed'). */
  check(key: AttachmentKey): void {
    const name = formatKey(key);
    const client = this.#clients.get(name);
    if (client?.isComplete) return;
    const { v4, v6 } = client?.states ?? {};
    throw new NetmoorError(
      'check-failed',
      client === undefined
        ? `no DHCP lease is on record for ${name}`
        : `not all that was leased to ${name} is held any more (${[v4, v6].filter(Boolean).join(', ')})`,
      'detach and attach the container again (DEL, ADD)',
    );
  }
}
