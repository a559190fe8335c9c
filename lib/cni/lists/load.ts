/**
 * Finding networks in directories of configuration files by libcni's rules: *.conflist in the order of their names,
 * then *.conf and *.json of single plugins; a list is completed with the *.conf files of the directory that has its
 * name.
 */
import { NetmoorError, errorText } from '../../base/errors.ts';
import { nearest } from '../../base/suggest.ts';
import { parseJsonObject } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { quote } from '../quote.ts';
import type { World } from '../world.ts';
import { DEFAULT_NETWORK, checkPlugin, readList, upconvert } from './list.ts';
import type { NetworkList } from './list.ts';

export { DEFAULT_NETWORK } from './list.ts';
export type { NetworkList } from './list.ts';

/** Told of every file that is of no use, and why. */
export type Report = (problem: NetmoorError) => void;

type Directories = Pick<World, 'files'>;

function readDocument(file: string, { files }: Directories): JsonObject {
  const content = files.read(file);
  if (content === undefined)
    throw new NetmoorError('io', `${quote(file)} is gone`, 'it may just be being replaced; try again');
  return parseJsonObject(content, 'the file');
}

function problemWith(file: string, error: unknown): NetmoorError {
  const known = error instanceof NetmoorError;
  return new NetmoorError(
    known ? error.kind : 'io',
    `${file}: ${errorText(error)}`,
    known ? error.details : 'correct or remove it',
    {
      cause: error,
    },
  );
}

function filesOf(directory: string, { files }: Directories, ...extensions: string[]): string[] {
  const wanted = files
    .list(directory)
    .filter((name) => extensions.some((extension) => name.endsWith(extension)));
  return wanted.map((name) => `${directory}/${name}`);
}

function readConflist(file: string, directory: string, world: Directories): NetworkList {
  const { list, open } = readList(readDocument(file, world), file);
  const further = open ? filesOf(`${directory}/${list.name}`, world, '.conf') : [];
  const appended = further.map((plugin) => {
    try {
      return checkPlugin(readDocument(plugin, world), 'the plugin');
    } catch (error) {
      throw problemWith(plugin, error);
    }
  });
  const plugins = [...list.plugins, ...appended];
  if (plugins.length > 0) return { ...list, plugins };
  throw new NetmoorError(
    'bad-config',
    'the list has no plugins',
    `add "plugins", or *.conf files in ${directory}/${list.name}`,
  );
}

/**
 * All networks of one directory, each name once. What cannot be used is told to `report` and does not keep the others
 * from being used; so is a file that another one of the same network's name comes before.
 */
export function loadNetworkLists(
  directory: string,
  world: Directories,
  report: Report = () => {},
): NetworkList[] {
  const root = directory.replace(/(?<=.)\/+$/, '');
  const lists = new Map<string, NetworkList>();
  const attempt = (file: string, read: () => NetworkList): void => {
    try {
      const list = read();
      const first = lists.get(list.name);
      if (first === undefined) lists.set(list.name, list);
      else
        report(
          new NetmoorError(
            'bad-config',
            `${file}: network ${list.name} is already defined in ${first.source}`,
            'rename or remove one',
          ),
        );
    } catch (error) {
      report(problemWith(file, error));
    }
  };
  for (const file of filesOf(root, world, '.conflist')) attempt(file, () => readConflist(file, root, world));
  for (const file of filesOf(root, world, '.conf', '.json'))
    attempt(file, () => upconvert(readDocument(file, world), file));
  return [...lists.values()];
}

/**
 * Every network that can be asked for by name: those of the directories, and the built-in one. What is of no use is
 * reported.
 */
export function loadAllNetworkLists(
  directories: readonly string[],
  world: Directories,
  report: Report = () => {},
): NetworkList[] {
  return [...known(directories, world, report).values()];
}

/** The names of several directories, the built-in network's with them; of equal ones the first counts. */
function known(directories: readonly string[], world: Directories, report: Report): Map<string, NetworkList> {
  const lists = [
    ...directories.flatMap((directory) => loadNetworkLists(directory, world, report)),
    DEFAULT_NETWORK,
  ];
  return new Map(lists.toReversed().map((list) => [list.name, list]));
}

/**
 * The network of that name: in the first of the directories that has it, or the built-in one. Throws
 * NetmoorError('bad-config') which tells what there is, and which files could not be read; those are told to `report`
 * too.
 */
export function findNetworkList(
  name: string,
  directories: readonly string[],
  world: Directories,
  report: Report = () => {},
): NetworkList {
  const problems: string[] = [];
  const lists = known(directories, world, (problem) => {
    problems.push(problem.message);
    report(problem);
  });
  const found = lists.get(name);
  if (found !== undefined) return found;
  const names = [...lists.keys()].sort();
  const meant = nearest(name, names);
  const advice = [
    meant === undefined ? '' : `did you mean ${quote(meant)}?`,
    `known networks: ${names.join(', ')}`,
    problems.length === 0 ? '' : `not usable: ${problems.join('; ')}`,
  ];
  const where = directories.length === 0 ? 'no directory was given' : `in ${directories.join(', ')}`;
  throw new NetmoorError(
    'bad-config',
    `there is no network ${quote(name)} ${where}`,
    advice.filter((text) => text !== '').join(' '),
  );
}
