/**
 * The DHCP client of one attachment: a machine for each version of DHCP that it asks by, what they hold, written down
 * before it is used, and the interface brought after it.
 */
import { withoutLength } from '../../../lib/base/ip.ts';
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import type { Priority, ResidentHost } from '../../../lib/cni/resident.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import type { Alarm } from '../../../lib/system/reactor.ts';
import type { Lease4, Lease6 } from '../../../ipam/dhcp/lease.ts';
import type { LossCause } from '../../../ipam/dhcp/machine.ts';
import { formatKey } from '../../../ipam/record.ts';
import type { ClientRecord, DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { Data4 } from '../../../ipam/dhcp/v4/data.ts';
import type { Wish4 } from '../../../ipam/dhcp/v4/wish.ts';
import type { Data6, Wish6 } from '../../../ipam/dhcp/v6/client.ts';
import { ipsOf } from '../leased.ts';
import type { Leases } from '../leased.ts';
import type { Entered } from '../tasks/enter.ts';
import type { Taken } from '../tasks/others.ts';
import type { Segment } from '../tasks/whence.ts';
import { whoseAre } from './arp-probe.ts';
import type { Base } from './base.ts';
import type { Books } from './books.ts';
import { Entrance } from './entrance.ts';
import { runner4, runner6 } from './family.ts';
import type { LinkWorld, Runner4, Runner6 } from './family.ts';
import { InterfaceFollower, listTaken } from './interface-follower.ts';
import type { Followed } from './interface-follower.ts';
import { lapseOf } from './lapse.ts';
import { Thrift } from './thrift.ts';
import type { Outcome } from './runner.ts';
import type { Ports } from './ports.ts';

export interface ClientWorld {
  readonly host: ResidentHost;
  readonly books: Books;
  readonly reactor: LinkWorld['reactor'];
  readonly random: () => number;
  readonly ports: Ports;
}

export interface Wishes {
  readonly v4?: Wish4 | undefined;
  readonly v6?: Wish6 | undefined;
}

/** Who waits for the first leases. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Until detection has ended that begins when ADD is done (RFC 4862: a second, behind a delay of up to another).
 */
const DETECTION_MS = 3000;

/** Before what could not be written down, or brought onto the interface, is tried again; twice as long each time. */
const AGAIN_MS = 5_000;
const AGAIN_LONGEST_MS = 600_000;

/** How long a DEL waits for the answer of a server that has to be told (DHCPv6 alone answers). */
const FAREWELL_MS = 500;

export class Client {
  readonly base: Base;
  readonly #world: ClientWorld;
  readonly #entrance: Entrance;
  readonly #interface: InterfaceFollower;
  readonly #v4: Runner4 | undefined;
  readonly #v6: Runner6 | undefined;
  #waiting: Waiting | undefined;
  #closed = false;
  readonly #thrift = new Thrift();
  /** Set when somebody else has the place of its container. */
  #gone: string | undefined;
  #again: Alarm | undefined;
  #againMs = AGAIN_MS;

  constructor(base: Base, wishes: Wishes, world: ClientWorld) {
    this.base = base;
    this.#world = world;
    this.#entrance = new Entrance(base, world.host);
    this.#interface = new InterfaceFollower(this.#followed(), this.#entrance, world.host);
    const link: LinkWorld = { ...world, place: async () => this.#entrance.place() };
    this.#v4 = wishes.v4 && runner4(wishes.v4, link, this.#outcome<Lease4>('DHCPv4'));
    this.#v6 = wishes.v6 && runner6(wishes.v6, link, this.#outcome<Lease6>('DHCPv6'));
  }

  /** What is held. */
  get leases(): Leases {
    return { v4: this.#v4?.lease, v6: this.#v6?.lease };
  }

  /** Why its container is gone for certain, if it is. */
  get gone(): string | undefined {
    return this.base.gone ?? this.#entrance.gone ?? this.#gone;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get states(): { readonly v4?: string; readonly v6?: string } {
    return {
      ...(this.#v4 ? { v4: this.#v4.state } : {}),
      ...(this.#v6 ? { v6: this.#v6.state } : {}),
    };
  }

  /** Whether everything that was asked for is held. */
  get isComplete(): boolean {
    return this.#runners().every(({ lease }) => lease !== undefined);
  }

  get record(): DhcpLeaseRecord {
    const { v4, v6 } = { v4: this.#v4, v6: this.#v6 };
    const lapsesAt = lapseOf(this.leases, this.#world);
    return {
      ...this.base,
      ...(v4?.data ? { v4: clientRecord(v4.wish, v4.data, v4.lease) } : {}),
      ...(v6?.data ? { v6: clientRecord(v6.wish, v6.data, v6.lease) } : {}),
      ...(lapsesAt === undefined ? {} : { lapsesAt }),
      ...(this.#interface.isBehind ? { applied: given(this.#interface.applied) } : {}),
    };
  }

  /** From nothing, or from what an earlier life of the key held. Resolves when all is held, written down and in use. */
  async acquire(entered: Entered, remembered: Leases, milliseconds: number): Promise<void> {
    this.#entrance.offer(entered);
    const { reactor } = this.#world;
    let alarm: { cancel(): void } | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        alarm = reactor.at(reactor.now() + milliseconds, () => reject(this.#unanswered(milliseconds)));
        this.#v4?.begin(remembered.v4);
        this.#v6?.begin(remembered.v6);
      });
      this.#waiting = undefined;
      // What the main plugin does.
      this.#interface.has(this.leases);
      await this.#save();
      await this.#interface.follow(true);
      reactor.at(reactor.now() + DETECTION_MS, () => void this.lookForDuplicates());
    } finally {
      alarm?.cancel();
      this.#waiting = undefined;
      this.#entrance.forget();
    }
  }

  /** Goes on where a record left off. */
  resume({ v4, v6, applied }: Pick<DhcpLeaseRecord, 'v4' | 'v6' | 'applied'>): void {
    this.#interface.has(applied ?? { v4: v4?.lease, v6: v6?.lease });
    if (v4) this.#v4?.resume(v4.data as Data4);
    if (v6) this.#v6?.resume(v6.data as Data6);
    if (applied) void this.#change();
  }

  /** The link was down, or the host slept. */
  doubt(): void {
    for (const runner of this.#runners()) runner.feed({ is: 'uncertain' });
  }

  /**
   * Tells the server of addresses that the kernel has found somebody else to have: it looks for them when the main
   * plugin has given them to the interface (RFC 9915, section 18.2.10.1).
   */
  async lookForDuplicates(): Promise<void> {
    const held = this.#v6?.lease?.addresses ?? [];
    if (held.length === 0 || this.#closed) return;
    try {
      const { fd, duplicates } = await this.#entrance.enter();
      closeAside(fd);
      for (const address of duplicates.filter((text) => held.some((each) => each.address === text)))
        this.#v6?.feed({ is: 'duplicate', address });
    } catch (error) {
      this.#log('info', errorText(error));
    }
  }

  /**
   * Gives back what is held, from the container, or from `elsewhere` on the host when that is gone; resolves when the
   * servers have been told, or cannot be. False when they could not.
   */
  async release(elsewhere: Segment | undefined): Promise<boolean> {
    this.#entrance.leadTo(elsewhere);
    this.#waiting?.reject(new NetmoorError('try-again', `${formatKey(this.base)} was detached meanwhile`));
    const { reactor } = this.#world;
    const deadline = reactor.now() + FAREWELL_MS;
    let told = true;
    for (const runner of this.#runners()) {
      const failures = runner.failures;
      runner.feed({ is: 'release' });
      await runner.ended(deadline);
      told &&= runner.failures === failures && !runner.isSending;
    }
    this.close();
    return told;
  }

  close(): void {
    this.#closed = true;
    this.#again?.cancel();
    for (const runner of this.#runners()) runner.close();
    this.#entrance.forget();
  }

  #runners(): readonly (Runner4 | Runner6)[] {
    return [this.#v4, this.#v6].filter((runner) => runner !== undefined);
  }

  #log(priority: Priority, text: string): void {
    this.#world.host.log(priority, `dhcp ${formatKey(this.base)}: ${text}`);
  }

  #note(text: string): void {
    const line = this.#thrift.pass(text, this.#world.reactor.now());
    if (line !== undefined) this.#log('info', line);
  }

  #outcome<Lease extends Lease4 | Lease6>(version: string): Outcome<Lease> {
    return {
      held: (lease, before) => this.#held(version, lease, before),
      lost: (_before, why) => this.#lost(version, why),
      check: (addresses) => void this.#check(addresses),
      note: (text) => this.#note(`${version}: ${text}`),
    };
  }

  #held(version: string, lease: Lease4 | Lease6, before: Lease4 | Lease6 | undefined): void {
    const addresses = ipsOf('address' in lease ? { v4: lease } : { v6: lease }).map(({ address }) => address);
    const seconds = lease.validFor === undefined ? 'for ever' : `for ${lease.validFor} s`;
    const verb = before === undefined ? 'leased' : 'prolonged';
    this.#log(
      'info',
      `${version}: ${verb} ${addresses.join(', ') || 'nothing'} ${seconds} by ${lease.server}`,
    );
    if (this.#waiting === undefined) void this.#change();
    else if (this.isComplete) this.#waiting.resolve();
  }

  #lost(version: string, why: LossCause): void {
    this.#log('warning', `${version}: the lease is lost (${why})`);
    if (this.#waiting === undefined) void this.#change();
  }

  /**
   * After ADD: written down, then brought onto the interface; also when it cannot be written down, since an address
   * that is leased no more must not be used.
   */
  async #change(): Promise<void> {
    this.#again?.cancel();
    const wasBehind = this.#interface.isBehind;
    const outcomes = [await this.#tried(async () => this.#save())];
    outcomes.push(await this.#tried(async () => this.#interface.follow(false)));
    // The interface has caught up, and an engine to come need not see to it.
    if (wasBehind) outcomes.push(await this.#tried(async () => this.#save()));
    if (!outcomes.includes(false)) this.#againMs = AGAIN_MS;
    else this.#changeLater();
  }

  async #tried(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#log('error', errorText(error));
      return false;
    }
  }

  #changeLater(): void {
    if (this.#closed) return;
    const { reactor } = this.#world;
    this.#again?.cancel();
    this.#again = reactor.at(reactor.now() + this.#againMs, () => void this.#change());
    this.#againMs = Math.min(2 * this.#againMs, AGAIN_LONGEST_MS);
  }

  async #save(): Promise<void> {
    if (!this.#closed) this.#gone = (await this.#world.books.put(this.record)) ?? this.#gone;
  }

  #followed(): Followed {
    return {
      base: this.base,
      leases: () => this.leases,
      isClosed: () => this.#closed,
      refuse: (taken) => this.#refuse(taken),
    };
  }

  /** Declined, as if it had answered on the link. */
  #refuse(taken: readonly Taken[]): void {
    this.#log('warning', `a server has leased what is not its own to give: ${listTaken(taken)}`);
    for (const { address } of taken)
      for (const runner of this.#runners()) runner.feed({ is: 'duplicate', address: withoutLength(address) });
  }

  async #check(addresses: readonly string[]): Promise<void> {
    let taken: readonly string[] = [];
    try {
      taken = await whoseAre(await this.#entrance.place(), addresses, this.#world.reactor);
    } catch (error) {
      this.#log('warning', `nobody could be asked for ${addresses.join(', ')}: ${errorText(error)}`);
    }
    if (taken.length > 0) this.#log('warning', `somebody else has ${taken.join(', ')}`);
    this.#v4?.feed({ is: 'checked', taken });
  }

  #unanswered(milliseconds: number): NetmoorError {
    const lacking = [
      ...(this.#v4 && this.#v4.lease === undefined ? ['DHCP'] : []),
      ...(this.#v6 && this.#v6.lease === undefined ? ['DHCPv6'] : []),
    ].join(' and ');
    return new NetmoorError(
      'not-available',
      `no ${lacking} server has leased an address to ${this.base.ifname} within ${milliseconds / 1000} s`,
      'is there one on that LAN, and has it an address left? "timeout" waits longer',
    );
  }
}

function clientRecord<Lease>(wish: object, data: object, lease: Lease | undefined): ClientRecord<Lease> {
  return { wish, data, ...(lease === undefined ? {} : { lease }) };
}

function given({ v4, v6 }: Leases): { v4?: Lease4; v6?: Lease6 } {
  return { ...(v4 ? { v4 } : {}), ...(v6 ? { v6 } : {}) };
}
