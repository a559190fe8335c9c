/** netmoor exec: a command in the network of a container, or of a named namespace. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { nearest } from '../../lib/base/suggest.ts';
import { allCachedAttachments, isWhereItWas } from '../../lib/cni/lists/cache.ts';
import { NAME_ARGUMENT } from '../../lib/cni/lists/host-map.ts';
import { containerIdProblem } from '../../lib/cni/names.ts';
import { quote } from '../../lib/cni/quote.ts';
import type { World } from '../../lib/cni/world.ts';
import { become } from '../../lib/system/become.ts';
import { namedNetnsId, namedNetnsPath } from '../../lib/system/named-netns.ts';
import { viewFromNetns } from '../../lib/system/netns-view.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { netnsNameIn } from '../netns-name.ts';
import { named, openStores, readAttachments } from '../stores.ts';
import { UsageError } from '../verb.ts';
import type { Verb, VerbContext } from '../verb.ts';

interface Candidate {
  readonly id: string;
  readonly name: string;
  readonly netns: string;
}

function isNetns(path: string, id: string, world: World): boolean {
  try {
    const opened = world.openNetns(path);
    world.closeNetns(opened);
    return opened.id === id;
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return false;
    throw error;
  }
}

/** Everything attached whose namespace can be reached, whoever attached it. */
function candidates({ world, dataDir, note }: VerbContext): Candidate[] {
  const onFile = allCachedAttachments(world)
    .filter((cached) => isWhereItWas(cached, world))
    .map(({ containerId, args, netns }) => ({ id: containerId, name: args.get(NAME_ARGUMENT) ?? '', netns }));
  const records = readAttachments(openStores(world, dataDir), named({ dataDir, note })).flatMap(
    ({ containerId, name = '', netns, bootId }): Candidate[] => {
      const there = netns !== undefined && bootId === world.bootId && isNetns(netns.path, netns.inode, world);
      return there ? [{ id: containerId, name, netns: netns.path }] : [];
    },
  );
  return [...onFile, ...records];
}

/** Ids that are hashes may be shortened; of those that people choose, "web" does not mean "web2". */
function isAbbreviation(word: string, id: string): boolean {
  return word.length >= 4 && /^[0-9a-f]{64}$/.test(id) && id.startsWith(word);
}

/**
 * By id, by name, by the name of a namespace, by the beginning of a hash that is an id: the first of these that leads
 * anywhere.
 */
function find(word: string, context: VerbContext): string {
  const all = candidates(context);
  const named =
    containerIdProblem(word) === undefined && namedNetnsId(word) !== undefined
      ? [{ netns: namedNetnsPath(word) }]
      : [];
  const ways = [
    all.filter(({ id }) => id === word),
    all.filter(({ name }) => name === word),
    named,
    all.filter(({ id }) => isAbbreviation(word, id)),
  ];
  const found = new Set(ways.find((way) => way.length > 0)?.map(({ netns }) => netns));
  const [netns, other] = found;
  if (other !== undefined)
    throw new NetmoorError(
      'bad-config',
      `${quote(word)} means ${found.size} containers`,
      'give the whole id',
    );
  if (netns !== undefined) return netns;
  const known = [...new Set(all.flatMap(({ id, name }) => [id, name]))].filter((text) => text !== '');
  const meant = nearest(word, known);
  throw new NetmoorError(
    'unknown-container',
    `there is no container ${quote(word)} whose network could be entered`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}"netmoor ls" lists what is attached`,
  );
}

export const verb: Verb = {
  about:
    'Runs a command in the network of a container, named by its id (of a hash, the beginning will do), its name, ' +
    'or the name of its namespace. As with "ip netns exec", files of /etc/netns/NAME take the place of those in ' +
    "/etc, and /sys shows the interfaces of the container. The command's exit status is this one's.",
  operand: 'CONTAINER',
  command: 'COMMAND…',
  options: [],
  run(context) {
    const { operands, command, environment, world } = context;
    const [word] = operands;
    const [program, ...args] = command;
    if (word === undefined)
      throw new UsageError(
        'which container is meant is not said',
        'write netmoor exec CONTAINER -- COMMAND…',
      );
    if (program === undefined)
      throw new UsageError('there is no command to run', `write netmoor exec ${word} -- COMMAND…`);
    const path = find(word, context);
    const netns = world.openNetns(path);
    return inNetns(netns, () => {
      viewFromNetns(netnsNameIn(path));
      return become(program, args, environment);
    });
  },
};
