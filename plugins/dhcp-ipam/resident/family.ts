/** The two versions of DHCP as a client runs them: which machine, over which sockets. */
import type { Lease4, Lease6 } from '../../../ipam/dhcp/lease.ts';
import { client4 } from '../../../ipam/dhcp/v4/client.ts';
import type { Data4 } from '../../../ipam/dhcp/v4/data.ts';
import type { Message4 } from '../../../ipam/dhcp/v4/message.ts';
import type { Wish4 } from '../../../ipam/dhcp/v4/wish.ts';
import { client6 } from '../../../ipam/dhcp/v6/client.ts';
import type { Data6, Wish6 } from '../../../ipam/dhcp/v6/client.ts';
import type { Message6 } from '../../../ipam/dhcp/v6/message.ts';
import type { Reactor } from '../../../lib/system/reactor.ts';
import { Runner } from './runner.ts';
import type { Outcome, RunnerWorld } from './runner.ts';
import { openTransport4 } from './transport4.ts';
import type { Place } from './transport4.ts';
import { openTransport6 } from './transport6.ts';

export type Runner4 = Runner<Wish4, Data4, Message4, Lease4>;
export type Runner6 = Runner<Wish6, Data6, Message6, Lease6>;

export interface LinkWorld extends RunnerWorld {
  readonly reactor: Reactor;
  /** Where the container's interface is; each has a namespace of its own to close. */
  readonly place: () => Promise<Place>;
}

export function runner4(wish: Wish4, world: LinkWorld, outcome: Outcome<Lease4>): Runner4 {
  const runner: Runner4 = new Runner(
    client4,
    wish,
    async (listener) =>
      openTransport4(await world.place(), world.reactor, listener, {
        serverMac: () => runner.lease?.serverMac,
      }),
    world,
    outcome,
  );
  return runner;
}

export function runner6(wish: Wish6, world: LinkWorld, outcome: Outcome<Lease6>): Runner6 {
  return new Runner(
    client6,
    wish,
    async (listener) => openTransport6(await world.place(), world.reactor, listener),
    world,
    outcome,
  );
}
