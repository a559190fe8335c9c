/** The host that attachments are made on and taken from: sockets held open in its namespace, its store, and who works on it. */
import type { Environment } from '../cni/environment.ts';
import type { World } from '../cni/world.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import type { Worker } from '../system/worker.ts';
import { noteStore } from '../../ipam/store/known.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { asking, openStoreIn, otherStores } from './stores.ts';
import type { Ask, NamedStore } from './stores.ts';

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
  /** The other stores of this host, opened when first asked for. */
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
  let others: readonly NamedStore[] | undefined;
  const opened = (): readonly NamedStore[] => {
    others ??= otherStores(dir, world);
    return others;
  };
  return {
    route: sockets.route,
    netfilter: sockets.netfilter,
    world,
    dir,
    store,
    get others() {
      return opened();
    },
    askOthers: (question, unknown) => asking(opened())(question, unknown),
    worker: world.worker,
    step: world.step,
    surroundings,
  };
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
