/** The interface in the container is brought after the leases: one change after the other, each checked before it. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { ResidentHost } from '../../../lib/cni/resident.ts';
import { bareKey } from '../../../ipam/record.ts';
import { ipsOf } from '../leased.ts';
import type { Leases } from '../leased.ts';
import type { Change } from '../tasks/follow.ts';
import type { Question, Taken } from '../tasks/others.ts';
import type { Base } from './base.ts';
import type { Entrance } from './entrance.ts';
import { runTask } from './run-task.ts';

/** Whose interface it is. */
export interface Followed {
  readonly base: Base;
  readonly leases: () => Leases;
  readonly isClosed: () => boolean;
  /** Addresses that others live with. */
  readonly refuse: (taken: readonly Taken[]) => void;
}

export class InterfaceFollower {
  readonly #client: Followed;
  readonly #entrance: Entrance;
  readonly #host: ResidentHost;
  #applied: Leases = {};
  #following: Promise<void> = Promise.resolve();

  constructor(client: Followed, entrance: Entrance, host: ResidentHost) {
    this.#client = client;
    this.#entrance = entrance;
    this.#host = host;
  }

  /** What the interface has been given. */
  get applied(): Leases {
    return this.#applied;
  }

  /** Told of what others have given it: the main plugin at ADD, or an engine before this one. */
  has(leases: Leases): void {
    this.#applied = leases;
  }

  get isBehind(): boolean {
    return isNews(this.#applied, this.#client.leases(), false);
  }

  /**
   * `first`: at ADD the main plugin sees to all but the MTU. Throws NetmoorError('address-taken') when another
   * container has then what was leased; later that is refused, and what the interface may not have any more goes from
   * it thereby.
   */
  async follow(first: boolean): Promise<void> {
    const work = async (): Promise<void> => this.#bring(first);
    this.#following = this.#following.then(work, work);
    return this.#following;
  }

  async #bring(first: boolean): Promise<void> {
    if (this.#client.isClosed()) return;
    const { base } = this.#client;
    const [before, after] = [this.#applied, this.#client.leases()];
    const taken = await this.#taken(first ? {} : before, after);
    if (taken.length > 0) {
      this.#client.refuse(taken);
      if (first) throw leasedTwice(taken);
      return;
    }
    if (isNews(before, after, first)) {
      const { priority } = base;
      const change: Change = {
        key: bareKey(base),
        where: this.#entrance.whereabouts,
        before,
        after,
        ...(priority === undefined ? {} : { priority }),
        first,
      };
      await runTask<undefined>(this.#host, 'follow', change);
    }
    this.#applied = after;
  }

  /** What has come that another container of ours lives with. */
  async #taken(before: Leases, after: Leases): Promise<readonly Taken[]> {
    const known = new Set(ipsOf(before).map(({ address }) => address));
    const come = ipsOf(after).map(({ address }) => address);
    const addresses = come.filter((address) => !known.has(address));
    if (addresses.length === 0) return [];
    const question: Question = { key: bareKey(this.#client.base), addresses };
    return runTask<Taken[]>(this.#host, 'others', question);
  }
}

export function listTaken(taken: readonly Taken[]): string {
  return taken.map(({ address, by }) => `${address} is that of ${by}`).join(', ');
}

function leasedTwice(taken: readonly Taken[]): NetmoorError {
  return new NetmoorError(
    'address-taken',
    `the DHCP server has leased what another container has: ${listTaken(taken)}`,
    'exclude the addresses of containers from what the server leases',
  );
}

/** Whether the interface has to be touched. */
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
