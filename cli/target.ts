/**
 * Which container `attach` and `detach` mean: a network namespace by path, by its name under /run/netns, or by a
 * process in it. Its container id, unless given, is that name, or is made of the namespace's inode: the same for the
 * same namespace, however it was named on the command line.
 */
import { NetmoorError } from '../lib/base/errors.ts';
import { openContainer } from '../lib/cni/lists/attachment.ts';
import type { Attachment } from '../lib/cni/lists/attachment.ts';
import { containerIdProblem } from '../lib/cni/names.ts';
import { quote } from '../lib/cni/quote.ts';
import type { World } from '../lib/cni/world.ts';
import { NETNS_DIRECTORY, listNamedNetns, namedNetnsId, namedNetnsPath } from '../lib/system/named-netns.ts';
import { UsageError } from './verb.ts';

/** `opened`: held open until all is done. */
export type Sandbox = Required<Pick<Attachment, 'netns' | 'netnsId' | 'opened'>> &
  Pick<Attachment, 'process'>;

/** As written on the command line. */
export interface TargetOptions {
  readonly netns: string | undefined;
  readonly pid: string | undefined;
  readonly id: string | undefined;
}

export function checkContainerId(id: string): string {
  const problem = containerIdProblem(id);
  if (problem !== undefined) throw new UsageError(`--id: ${problem}`, 'choose another id');
  return id;
}

/** The path that --netns means; a name has no slash. */
export function netnsPath(text: string): string {
  if (text.startsWith('/')) return text.replace(/^\/var\/run\//, '/run/');
  if (text.includes('/') || text === '' || text === '.' || text === '..') {
    throw new UsageError(
      `--netns ${quote(text)} is neither an absolute path nor a name`,
      `names are those in ${NETNS_DIRECTORY}`,
    );
  }
  return namedNetnsPath(text);
}

export function readPid(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new UsageError(`--pid ${quote(text)} is no process id`, 'give the number of a process');
  return Number(text);
}

/** The name that a path in the directory of named namespaces gives. */
function nameInPath(path: string): string | undefined {
  const name = path.startsWith(`${NETNS_DIRECTORY}/`) ? path.slice(NETNS_DIRECTORY.length + 1) : '';
  return containerIdProblem(name) === undefined ? name : undefined;
}

/** The container id for a namespace; `id` is its "device:inode". */
export function deriveContainerId(path: string, id: string): string {
  const named =
    nameInPath(path) ??
    listNamedNetns().find((name) => nameInPath(namedNetnsPath(name)) && namedNetnsId(name) === id);
  return named ?? `netns-${id.slice(id.indexOf(':') + 1)}`;
}

/** Throws 'bad-netns', or 'own-netns' for the host's own. */
export function sandboxAt(path: string, world: World): Sandbox {
  const opened = openContainer(path, world);
  return { netns: path, netnsId: opened.id, opened };
}

/** The namespace of a process, which is still the same process after a look at it. */
export function sandboxOf(pid: number, world: World): Sandbox {
  const process = world.processIdentity(pid);
  if (process === undefined)
    throw new NetmoorError('bad-netns', `there is no process ${pid}`, 'the container may have ended');
  const sandbox = sandboxAt(`/proc/${pid}/ns/net`, world);
  if (world.processIdentity(pid)?.started !== process.started) {
    world.closeNetns(sandbox.opened);
    throw new NetmoorError(
      'bad-netns',
      `process ${pid} has ended`,
      'the container ended meanwhile; start it again',
    );
  }
  return { ...sandbox, process };
}

/** Exactly one of the ways to say which. */
export function requireOne(given: Readonly<Record<string, string | undefined>>): void {
  const names = Object.keys(given);
  const used = names.filter((name) => given[name] !== undefined);
  if (used.length === 1) return;
  const ways = names.map((name) => `--${name}`).join(', ');
  if (used.length === 0) throw new UsageError('which container is meant is not said', `give one of ${ways}`);
  throw new UsageError(
    `${used.map((name) => `--${name}`).join(' and ')} exclude each other`,
    `give one of ${ways}`,
  );
}
