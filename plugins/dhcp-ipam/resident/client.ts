/**
 * The DHCP client of one attachment: a machine for each version of DHCP that it asks by, what they hold, written down
 * before it is used, and the interface brought after it.
 */
import { withoutLength } from '../../../lib/base/ip.ts';
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import type { Priority, ResidentHost } from '../../../lib/cni/resident.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import { ownNetns } from '../../../lib/system/netns.ts';
import type { Alarm } from '../../../lib/system/reactor.ts';
import type { Lease4, Lease6 } from '../../../ipam/dhcp/lease.ts';
import type { LossCause } from '../../../ipam/dhcp/machine.ts';
import { bareKey, formatKey } from '../../../ipam/record.ts';
import type { ClientRecord, DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { Data4 } from '../../../ipam/dhcp/v4/data.ts';
import type { Wish4 } from '../../../ipam/dhcp/v4/wish.ts';
import type { Data6, Wish6 } from '../../../ipam/dhcp/v6/client.ts';
import { ipsOf } from '../leased.ts';
import type { Leases } from '../leased.ts';
import type { Entered, Whereabouts } from '../tasks/enter.ts';
import type { Change } from '../tasks/follow.ts';
import type { Question, Taken } from '../tasks/others.ts';
import type { Segment } from '../tasks/whence.ts';
import { whoseAre } from './arp-probe.ts';
import type { Books } from './books.ts';
import { runner4, runner6 } from './family.ts';
import type { LinkWorld, Runner4, Runner6 } from './family.ts';
import { lapseOf } from './lapse.ts';
import { runTask } from './run-task.ts';
import { Thrift } from './thrift.ts';
import type { Outcome } from './runner.ts';
import type { Ports } from './ports.ts';
import type { Place } from './transport4.ts';

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

/** The record without what changes with the leases. */
export type Base = Omit<DhcpLeaseRecord, 'v4' | 'v6' | 'lapsesAt' | 'applied'>;

export function baseOf({ v4: _4, v6: _6, lapsesAt: _at, applied: _applied, ...base }: DhcpLeaseRecord): Base {
  return base;
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
  readonly #v4: Runner4 | undefined;
  readonly #v6: Runner6 | undefined;
  /** What the interface has been given. */
  #applied: Leases = {};
  #waiting: Waiting | undefined;
  /** Opened once by ADD, for the first socket. */
  #spare: Entered | undefined;
  /** Set when the container's namespace is gone: where its leases are given back from. */
  #elsewhere: Segment | undefined;
  /** Changes of the interface are made one after the other. */
  #following: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #thrift = new Thrift();
  /** Set when somebody else has the place of its container. */
  #gone: string | undefined;
  #again: Alarm | undefined;
  #againMs = AGAIN_MS;

  constructor(base: Base, wishes: Wishes, world: ClientWorld) {
    this.base = base;
    this.#world = world;
    const link: LinkWorld = { ...world, place: async () => this.#place() };
    this.#v4 = wishes.v4 && runner4(wishes.v4, link, this.#outcome<Lease4>('DHCPv4'));
    this.#v6 = wishes.v6 && runner6(wishes.v6, link, this.#outcome<Lease6>('DHCPv6'));
  }

  /** What is held. */
  get leases(): Leases {
    return { v4: this.#v4?.lease, v6: this.#v6?.lease };
  }

  /** Why its container is gone for certain, if it is. */
  get gone(): string | undefined {
    return this.base.gone ?? this.#gone;
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
      ...(this.#isBehind ? { applied: given(this.#applied) } : {}),
    };
  }

  /** From nothing, or from what an earlier life of the key held. Resolves when all is held, written down and in use. */
  async acquire(entered: Entered, remembered: Leases, milliseconds: number): Promise<void> {
    this.#spare = entered;
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
      this.#applied = this.leases;
      await this.#save();
      await this.#follow(true);
      reactor.at(reactor.now() + DETECTION_MS, () => void this.lookForDuplicates());
    } finally {
      alarm?.cancel();
      this.#waiting = undefined;
      this.#forgetSpare();
    }
  }

  /** Goes on where a record left off. */
  resume({ v4, v6, applied }: Pick<DhcpLeaseRecord, 'v4' | 'v6' | 'applied'>): void {
    this.#applied = applied ?? { v4: v4?.lease, v6: v6?.lease };
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
      const { fd, duplicates } = await this.#enter();
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
    this.#elsewhere = elsewhere;
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
    this.#forgetSpare();
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

  get #isBehind(): boolean {
    return isNews(this.#applied, this.leases, false);
  }

  /**
   * After ADD: written down, then brought onto the interface; also when it cannot be written down, since an address
   * that is leased no more must not be used.
   */
  async #change(): Promise<void> {
    this.#again?.cancel();
    const wasBehind = this.#isBehind;
    const outcomes = [await this.#tried(async () => this.#save())];
    outcomes.push(await this.#tried(async () => this.#follow(false)));
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

  async #follow(first: boolean): Promise<void> {
    const work = async (): Promise<void> => {
      if (this.#closed) return;
      const [before, after] = [this.#applied, this.leases];
      const taken = await this.#taken(first ? {} : before, after);
      if (taken.length > 0) return this.#refuse(taken, first);
      if (!isNews(before, after, first)) {
        this.#applied = after;
        return;
      }
      const { priority } = this.base;
      const change: Change = {
        key: bareKey(this.base),
        where: this.#whereabouts(),
        before,
        after,
        ...(priority === undefined ? {} : { priority }),
        first,
      };
      await runTask<undefined>(this.#world.host, 'follow', change);
      this.#applied = after;
    };
    this.#following = this.#following.then(work, work);
    return this.#following;
  }

  /** What has come that another container of ours lives with. */
  async #taken(before: Leases, after: Leases): Promise<readonly Taken[]> {
    const known = new Set(ipsOf(before).map(({ address }) => address));
    const come = ipsOf(after).map(({ address }) => address);
    const addresses = come.filter((address) => !known.has(address));
    if (addresses.length === 0) return [];
    const question: Question = { key: bareKey(this.base), addresses };
    return runTask<Taken[]>(this.#world.host, 'others', question);
  }

  /** Declined, as if it had answered on the link; what the interface had and has no more goes from it thereby. */
  #refuse(taken: readonly Taken[], first: boolean): void {
    const list = taken.map(({ address, by }) => `${address} is that of ${by}`).join(', ');
    this.#log('warning', `a server has leased what is not its own to give: ${list}`);
    for (const { address } of taken)
      for (const runner of this.#runners()) runner.feed({ is: 'duplicate', address: withoutLength(address) });
    if (!first) return;
    throw new NetmoorError(
      'address-taken',
      `the DHCP server has leased what another container has: ${list}`,
      'exclude the addresses of containers from what the server leases',
    );
  }

  #whereabouts(): Whereabouts {
    const { netns, ifname, link } = this.base;
    return { path: netns.path, inode: netns.inode, ifname, link };
  }

  async #place(): Promise<Place> {
    const { link } = this.base;
    if (this.#elsewhere !== undefined) return { netns: ownNetns(), ...this.#elsewhere, mac: link.mac };
    const entered = this.#spare ?? (await this.#enter());
    this.#spare = undefined;
    const { fd, inode, ifname, index } = entered;
    return { netns: { fd, path: this.base.netns.path, id: inode }, ifname, index, mac: link.mac };
  }

  async #enter(): Promise<Entered> {
    try {
      return await runTask<Entered>(this.#world.host, 'enter', this.#whereabouts());
    } catch (error) {
      if (error instanceof NetmoorError && error.kind === 'bad-netns') this.#gone = error.message;
      throw error;
    }
  }

  #forgetSpare(): void {
    if (this.#spare !== undefined) closeAside(this.#spare.fd);
    this.#spare = undefined;
  }

  async #check(addresses: readonly string[]): Promise<void> {
    let taken: readonly string[] = [];
    try {
      taken = await whoseAre(await this.#place(), addresses, this.#world.reactor);
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

/** Whether the interface has to be touched: at ADD the main plugin sees to all but the MTU. */
function isNews(before: Leases, after: Leases, first: boolean): boolean {
  if (first) return after.v4?.mtu !== undefined;
  const used = ({ v4, v6 }: Leases): string =>
    JSON.stringify([
      v4?.address,
      v4?.gateway,
      v4?.routes,
      v4?.mtu,
      v6?.addresses.map(({ address }) => address),
    ]);
  return used(before) !== used(after);
}
