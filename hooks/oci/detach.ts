/**
 * poststop: everything the container has is taken down, from the cached results and the lease store alone. The
 * container, its namespace and its bundle may be gone. Whatever fails does not keep the rest from being done.
 */
import { errorText } from '../../lib/base/errors.ts';
import { refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { cachedAttachments, delNetwork } from '../../lib/cni/lists/invoke.ts';
import type { NetworkList } from '../../lib/cni/lists/load.ts';
import { CURRENT_VERSION } from '../../lib/cni/versions.ts';
import { openStoreIn } from '../../lib/mooring/stores.ts';
import { readHookConfig } from './config.ts';
import { readVariables } from './plan.ts';
import { removeResultFiles } from './result-files.ts';
import { pathOf } from './task.ts';
import type { Task } from './task.ts';

export interface Detached {
  /** "network (ifname)" */
  readonly detached: readonly string[];
  readonly failures: readonly string[];
}

/** One thing to take down: a network by what is on file of it, or by a list made up from the lease record. */
interface Remainder {
  readonly network: string;
  readonly ifname: string;
  readonly list?: NetworkList;
}

function listFor(network: string, type: string): NetworkList {
  return {
    name: network,
    cniVersion: CURRENT_VERSION,
    disableCheck: false,
    disableGC: false,
    plugins: [{ type }],
    source: 'the lease store',
  };
}

/** Leases of our own plugins of which nothing legible is on file; what another runtime has on file is its own. */
async function strandedLeases({ state, world, ours }: Task): Promise<Remainder[]> {
  const { store } = openStoreIn(world.storeDirectory, world);
  const records = store.read((reader) => reader.attachments({ containerId: state.id }));
  const onFile = cachedAttachments(state.id, world).filter(
    ({ origin, list }) => origin === undefined || list !== undefined,
  );
  const stranded: Remainder[] = [];
  for (const { network, ifname, plugin } of records) {
    if (onFile.some((cached) => cached.network === network && cached.ifname === ifname)) continue;
    if ((await ours(plugin)) !== undefined)
      stranded.push({ network, ifname, list: listFor(network, plugin) });
  }
  return stranded;
}

async function detachEach(
  task: Task,
  remainders: readonly Remainder[],
  done: { detached: string[]; failures: string[] },
): Promise<void> {
  for (const { network, ifname, list } of remainders) {
    const what = `${network} (${ifname})`;
    try {
      const attachment = {
        containerId: task.state.id,
        network,
        ifname,
        netns: '',
        args: new Map(),
        capabilities: {},
        path: pathOf(task),
      };
      await delNetwork(list, attachment, task.world, task.ours, task.note);
      done.detached.push(what);
    } catch (error) {
      done.failures.push(`${what}: ${errorText(error)}`);
    }
  }
}

function attempt(what: string, failures: string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    failures.push(`${what}: ${errorText(error)}`);
  }
}

/** Detaches the container from all its networks, last one first. Never throws: what could not be done is told. */
export async function detach(task: Task): Promise<Detached> {
  const { state, flags, world, hostMap } = task;
  const done = { detached: [] as string[], failures: [] as string[] };
  const own = cachedAttachments(state.id, world).filter(({ origin }) => origin !== undefined);
  const legible = own.filter(({ list }) => list !== undefined).toReversed();
  await detachEach(
    task,
    legible.map(({ network, ifname }) => ({ network, ifname })),
    done,
  );
  try {
    const stranded = await strandedLeases(task);
    await detachEach(task, stranded, done);
    for (const { network, ifname, file, list } of own) {
      const settled =
        list !== undefined || stranded.some((other) => other.network === network && other.ifname === ifname);
      if (!settled)
        done.failures.push(`${network} (${ifname}): the configuration kept in ${file} cannot be read`);
    }
  } catch (error) {
    done.failures.push(`the lease store: ${errorText(error)}`);
  }
  attempt('result files', done.failures, () =>
    removeResultFiles(readHookConfig(state.annotations, flags, readVariables(task)), state.bundle),
  );
  attempt(hostMap, done.failures, () => refreshHostMap(state.id, world, hostMap));
  return done;
}
