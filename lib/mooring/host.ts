/**
 * The host that attachments are made on and taken from: sockets held open in its namespace, its store, and who works on
 * it.
 */
import { existsSync } from 'node:fs';
import type { Environment } from '../cni/environment.ts';
import type { World } from '../cni/world.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import type { Worker } from '../system/worker.ts';
import { noteStore } from '../../ipam/store/known.ts';
import { storeFile } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { asking, openStoreIn, otherStores, writeWith } from './stores.ts';
import type { Alone, Ask, NamedStore } from './stores.ts';

export interface Sockets {
  readonly route: NetlinkSocket;
  readonly netfilter: NetlinkSocket;
}

/** Where IPAM plugins of others are looked for, and what they are started with beside their parameters. */
export interface Surroundings {
  readonly path: readonly string[];
  readonly environment: Environment;
  /** A line for the runtime's log. */
  readonly note: (line: string) => void;
}

export interface Host extends Sockets {
  readonly world: World;
  readonly dir: string;
  readonly store: LeaseStore;
  /** The other stores of this host as of now, each opened when first asked for. */
  readonly others: readonly NamedStore[];
  readonly askOthers: Ask;
  /** Who works here: this process, or one of its requests; named in the records that it works on. */
  readonly worker: Worker | undefined;
  /** A named step has been reached: where the crash tests let the process die. */
  readonly step: (name: string) => void;
  readonly surroundings: Surroundings;
}

/** Runs `work` with sockets of this thread's network namespace. */
export async function withSockets<T>(work: (sockets: Sockets) => T | Promise<T>): Promise<T> {
  const route = NetlinkSocket.open('route');
  try {
    const netfilter = NetlinkSocket.open('netfilter');
    try {
      return await work({ route, netfilter });
    } finally {
      netfilter.close();
    }
  } finally {
    route.close();
  }
}

export function hostOf(
  sockets: Sockets,
  { dir, store }: NamedStore,
  world: World,
  surroundings: Surroundings,
): Host {
  const opened = new Map<string, NamedStore>();
  return {
    route: sockets.route,
    netfilter: sockets.netfilter,
    world,
    dir,
    store,
    get others() {
      return otherStores(dir, world, opened);
    },
    askOthers: (question, unknown) => asking(otherStores(dir, world, opened))(question, unknown),
    worker: world.worker,
    step: world.step,
    surroundings,
  };
}

/** Does `work` once the caller has his answer, or at once where nobody can. */
export function afterwards({ world }: Pick<Host, 'world'>, work: () => void): void {
  if (world.afterwards) world.afterwards(work);
  else work();
}

/**
 * A write transaction with every other store of the host locked: nobody begins meanwhile who would share something in
 * the kernel. A store that came to be while the others were waited for is locked, too, so that it is done from the
 * start then.
 */
export function writeAlone<T>(host: Host, work: Alone<T>): T {
  for (;;) {
    const { dir, store, others, surroundings } = host;
    const done = writeWith(
      { dir, store },
      others,
      (...alone) => (host.others.length > others.length ? undefined : { answer: work(...alone) }),
      (error, other) => surroundings.note(`the lease store in ${other} was not locked: ${error.message}`),
    );
    if (done !== undefined) return done.answer;
  }
}

/**
 * Brings a store into being before its first attachment: whoever takes down the last of another one has seen it, or is
 * waited for.
 */
export function beginStore(host: Host): void {
  if (!existsSync(storeFile(host.dir))) writeAlone(host, () => {});
}

/** The one place that chooses a store: the one that the configuration names, else the host's usual one. */
export function storeFor(dataDir: string | undefined, world: World): NamedStore {
  const dir = dataDir ?? world.storeDirectory;
  if (dir !== world.storeDirectory) noteStore(dir);
  return openStoreIn(dir, world);
}

export async function withHost<T>(
  dataDir: string | undefined,
  world: World,
  surroundings: Surroundings,
  work: (host: Host) => T | Promise<T>,
): Promise<T> {
  return withSockets((sockets) => work(hostOf(sockets, storeFor(dataDir, world), world, surroundings)));
}
