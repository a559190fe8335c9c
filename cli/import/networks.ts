/** The networks whose containers can be taken over: those that bridge-nat has by now. */
import { existsSync } from 'node:fs';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { findNetworkList, loadAllNetworkLists } from '../../lib/cni/lists/load.ts';
import type { NetworkList } from '../../lib/cni/lists/load.ts';
import type { World } from '../../lib/cni/world.ts';
import { ipamType } from '../../lib/mooring/ipam-type.ts';
import { isJsonObject } from '../../lib/cni/json.ts';

export interface Network {
  readonly list: NetworkList;
  /** That of bridge-nat. */
  readonly plugin: JsonObject;
  /** Where host-local keeps its leases. */
  readonly directory: string;
}

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

/** Undefined for one whose addresses do not come from our store. */
function networkOf(list: NetworkList, from: string): Network | undefined {
  const plugin = list.plugins.find(({ type }) => type === 'bridge-nat');
  if (plugin === undefined) return undefined;
  const { ipam } = plugin;
  const { kind } = ipamType(isJsonObject(ipam) ? ipam : undefined);
  return kind === 'netmoor' ? { list, plugin, directory: `${from}/${list.name}` } : undefined;
}

function requireOne(name: string, from: string, confDirs: readonly string[], world: World): Network {
  const list = findNetworkList(name, confDirs, world);
  const network = networkOf(list, from);
  if (network === undefined)
    refuse(
      `network ${name} is none of bridge-nat with addresses of netmoor's store`,
      `"netmoor network migrate ${list.source}" says what it becomes`,
    );
  if (!existsSync(network.directory))
    refuse(`host-local has no leases of ${name}: there is no ${network.directory}`, 'name where with --from');
  return network;
}

/** Those named, or all that host-local has a directory for. Throws 'bad-config' for a name that is none. */
export function networksToImport(
  names: readonly string[],
  from: string,
  confDirs: readonly string[],
  world: World,
  note: (line: string) => void,
): Network[] {
  if (names.length > 0) return [...new Set(names)].map((name) => requireOne(name, from, confDirs, world));
  const lists = loadAllNetworkLists(confDirs, world, ({ message }) => note(message));
  const all = lists.flatMap((list) => networkOf(list, from) ?? []);
  return all.filter(({ directory }) => existsSync(directory));
}
