/**
 * The network namespace of a container that is being created: found through its first process, and held against every
 * sign that it is not the container's own. Nothing has been touched when this refuses.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { World } from '../../lib/cni/world.ts';
import type { Netns } from '../../lib/system/netns.ts';
import type { ProcessIdentity } from '../../lib/system/process.ts';

export interface Sandbox {
  /** A path to it while the process lives. */
  readonly netns: string;
  /** "device:inode" */
  readonly netnsId: string;
  /** Held open until all is done. */
  readonly opened: Netns;
  readonly process: ProcessIdentity;
}

/** `process` is there when the path leads through it. */
export type Address = Omit<Sandbox, 'process'> & Partial<Pick<Sandbox, 'process'>>;

function gone(pid: number): NetmoorError {
  return new NetmoorError(
    'bad-netns',
    `process ${pid} of the container has ended`,
    'see what the runtime says about it, and start the container again',
  );
}

/** Throws NetmoorError 'bad-netns' when the process is gone, 'own-netns' when it shares the network of this process. */
export function findSandbox(pid: number, world: World): Sandbox {
  const process = world.processIdentity(pid);
  if (process === undefined) throw gone(pid);
  const netns = `/proc/${pid}/ns/net`;
  const opened = world.openNetns(netns);
  try {
    // The number may have gone to another process between the two looks.
    if (world.processIdentity(pid)?.started !== process.started) throw gone(pid);
    refuseOwn(opened, world);
  } catch (error) {
    world.closeNetns(opened);
    throw error;
  }
  return { netns, netnsId: opened.id, opened, process };
}

function refuseOwn({ id }: Netns, world: World): void {
  if (id !== world.ownNetnsId()) return;
  throw new NetmoorError(
    'own-netns',
    'the container has the network namespace of the host',
    'add { "type": "network" } to linux.namespaces in config.json, or take netmoor-hook out of it',
  );
}

/** Throws NetmoorError('bad-netns') when the container ended meanwhile. */
export function requireAlive({ process }: Sandbox, world: World): void {
  if (world.processIdentity(process.pid)?.started !== process.started) throw gone(process.pid);
}

/**
 * How plugins are to reach the sandbox: through the container's process, which the namespace ends with; or, when the
 * container has joined a namespace that outlives it, by the path of that one, so that detaching finds the way, too.
 */
export function addressOf(
  { netns, netnsId, opened, process }: Sandbox,
  joined: string | undefined,
  world: World,
): Address {
  const path = joined?.startsWith('/') && leadsTo(joined, netnsId, world) ? joined : undefined;
  return path === undefined ? { netns, netnsId, opened, process } : { netns: path, netnsId, opened };
}

function leadsTo(path: string, netnsId: string, world: World): boolean {
  try {
    const opened = world.openNetns(path);
    world.closeNetns(opened);
    return opened.id === netnsId;
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return false;
    throw error;
  }
}
