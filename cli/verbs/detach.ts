/** netmoor detach: takes networks from a container, which may be gone by then. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { nearest } from '../../lib/base/suggest.ts';
import { allCachedAttachments, cachedAttachments, isWhereItWas } from '../../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import type { World } from '../../lib/cni/world.ts';
import { containerIdProblem } from '../../lib/cni/names.ts';
import { NETNS_DIRECTORY, removeNamedNetns } from '../../lib/system/named-netns.ts';
import { shortenIds } from '../attachment-view.ts';
import { detachImported } from '../import/detaching.ts';
import { withdrawDns } from '../attached-dns.ts';
import { detach } from '../attaching.ts';
import { netnsNameIn, withNetnsName } from '../netns-name.ts';
import { formatTable } from '../table.ts';
import { checkContainerId, deriveContainerId, netnsPath, readPid, requireOne } from '../target.ts';
import { UsageError } from '../verb.ts';
import type { Option, Report, Verb, VerbContext } from '../verb.ts';
import { PATH_OPTIONS, surroundings } from './attach.ts';

const OPTIONS: readonly Option[] = [
  {
    name: 'netns',
    value: 'PATH|NAME',
    about: 'the namespace at PATH, or of that NAME (ip netns), even if it is gone',
  },
  { name: 'pid', value: 'PID', about: 'the namespace of process PID, even if it has ended' },
  { name: 'id', value: 'ID', about: "the container's id" },
  { name: 'ifname', value: 'IFNAME', about: 'only this interface' },
  { name: 'delete', about: 'remove the named namespace, too, once it is attached to nothing' },
  ...PATH_OPTIONS,
];

/** The path meant, and the namespace's "device:inode" if there is one there. */
interface Place {
  readonly path: string;
  readonly netnsId: string | undefined;
}

function lookAt(path: string, world: World): Place {
  try {
    const opened = world.openNetns(path);
    world.closeNetns(opened);
    return { path, netnsId: opened.id };
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return { path, netnsId: undefined };
    throw error;
  }
}

/**
 * What was attached at a path, and is not there any more or is there still; but not what a later user of the path has.
 */
function attachedAt(place: Place, world: World): CachedAttachment[] {
  return allCachedAttachments(world).filter(
    (cached) =>
      cached.origin !== undefined &&
      cached.netns === place.path &&
      (place.netnsId === undefined || isWhereItWas(cached, world)),
  );
}

/** A namespace that is gone has no inode to make an id of: its name, or what is on file under its path, tells. */
function attachmentsAt(place: Place, world: World): CachedAttachment[] {
  const { path, netnsId } = place;
  const name = path.startsWith(`${NETNS_DIRECTORY}/`) ? path.slice(NETNS_DIRECTORY.length + 1) : '';
  const derived =
    netnsId !== undefined
      ? deriveContainerId(path, netnsId)
      : containerIdProblem(name) === undefined
        ? name
        : undefined;
  const byId =
    derived === undefined
      ? []
      : cachedAttachments(derived, world).filter(({ origin }) => origin !== undefined);
  const further = attachedAt(place, world).filter((cached) => !byId.some(({ file }) => file === cached.file));
  return [...byId, ...further];
}

function placeOf(
  { netns, pid }: { netns: string | undefined; pid: string | undefined },
  world: World,
): Place {
  return lookAt(pid === undefined ? netnsPath(netns ?? '') : `/proc/${readPid(pid)}/ns/net`, world);
}

/** Those of the networks named, or all; a name that is none of them is refused. */
function choose(
  all: readonly CachedAttachment[],
  networks: readonly string[],
  ifname: string | undefined,
): CachedAttachment[] {
  for (const name of networks) {
    if (all.some(({ network }) => network === name)) continue;
    const attachedTo = all.map(({ network }) => network);
    const meant = nearest(name, attachedTo);
    const advice =
      attachedTo.length === 0 ? 'it is attached to nothing' : `it is attached to ${attachedTo.join(', ')}`;
    throw new NetmoorError(
      'unknown-container',
      `it is not attached to ${name}`,
      meant === undefined ? advice : `did you mean ${meant}? ${advice}`,
    );
  }
  return all.filter(
    (cached) =>
      (networks.length === 0 || networks.includes(cached.network)) &&
      (ifname === undefined || cached.ifname === ifname),
  );
}

/** Takes away the name of the namespace, if it has one; what is attached to it still would be cut off. */
function deleteNetns({ path, netnsId }: Place, remaining: readonly CachedAttachment[]): boolean {
  if (!path.startsWith(`${NETNS_DIRECTORY}/`) || path.includes('/', NETNS_DIRECTORY.length + 1)) {
    throw new UsageError(`--delete is for namespaces in ${NETNS_DIRECTORY}`, 'give --netns NAME');
  }
  const [still] = remaining;
  if (still !== undefined) {
    throw new NetmoorError(
      'bad-config',
      `${path} is kept: it is still attached to ${still.network}`,
      'detach it from all its networks',
    );
  }
  return removeNamedNetns(path.slice(NETNS_DIRECTORY.length + 1), netnsId);
}

function find({ values, world }: VerbContext): { all: CachedAttachment[]; place: Place | undefined } {
  const [netns, pid, id] = ['netns', 'pid', 'id'].map((name) => values.get(name)?.[0]);
  if (id === undefined) {
    requireOne({ netns, pid, id });
    const place = placeOf({ netns, pid }, world);
    return { all: attachmentsAt(place, world), place };
  }
  if (pid !== undefined) requireOne({ pid, id });
  return {
    all: cachedAttachments(checkContainerId(id), world),
    place: netns === undefined ? undefined : lookAt(netnsPath(netns), world),
  };
}

async function detachFrom(context: VerbContext): Promise<Report> {
  const { values, operands, switches } = context;
  const { all, place } = find(context);
  const chosen = choose(all, operands, values.get('ifname')?.[0]);
  try {
    await detach(chosen, surroundings(context));
    await detachImported(chosen, context);
  } finally {
    for (const path of new Set(chosen.map(({ netns }) => netns))) withdrawDns(path, context);
  }
  const deleted =
    switches.has('delete') &&
    place !== undefined &&
    deleteNetns(
      place,
      all.filter((cached) => !chosen.includes(cached)),
    );
  const json = chosen.map(({ network, containerId, ifname, netns }) => ({
    network,
    containerId,
    ifname,
    netns,
  }));
  const rows = chosen.map(({ network, containerId, ifname }) => [network, shortenIds(containerId), ifname]);
  const table =
    rows.length > 0
      ? formatTable(['NETWORK', 'CONTAINER', 'INTERFACE'], rows)
      : 'it is attached to nothing\n';
  return { json, text: () => `${table}${deleted ? `${place?.path} is removed\n` : ''}` };
}

export const verb: Verb = {
  about:
    'Detaches a container from the networks named, or from all. It works when the namespace or its process is ' +
    'gone: what is to be done is on file since attaching. It succeeds when there is nothing to do, unless a ' +
    'network is named that it is not attached to.',
  operand: '[NETWORK…]',
  manyOperands: true,
  options: OPTIONS,
  async run(context) {
    const { values, switches, world } = context;
    const netns = values.get('netns')?.[0];
    if (!switches.has('delete')) return detachFrom(context);
    if (netns === undefined) throw new UsageError('--delete needs --netns', 'give --netns NAME');
    return withNetnsName(netnsNameIn(netnsPath(netns)), world, () => detachFrom(context));
  },
};
