/**
 * The main plugins: the one list that the command, the hook and the build read. A further one is its folder and a line
 * here. Each is loaded when it is first needed.
 */
import type { Plugin } from '../lib/cni/plugin.ts';
import type { Kind } from '../lib/mooring/kind.ts';

/** What the main.ts of a plugin exports. */
export interface Listed {
  readonly kind: Kind;
  readonly plugin: Plugin;
}

export type KindList = ReadonlyMap<string, () => Promise<Listed>>;

export const KINDS: KindList = new Map<string, () => Promise<Listed>>([
  ['bridge-nat', async () => import('./bridge-nat/main.ts')],
  ['macvlan-v6', async () => import('./macvlan-v6/main.ts')],
]);

/** Our own plugins for whoever calls them in this process; undefined for a type that is none of them. */
export function pluginsOf(list: KindList): (type: string) => Promise<Plugin | undefined> {
  return async (type) => (await list.get(type)?.())?.plugin;
}

/** The kinds of these names, those that there are. */
export async function kindsNamed(
  list: KindList,
  names: Iterable<string>,
): Promise<ReadonlyMap<string, Kind>> {
  const kinds = new Map<string, Kind>();
  for (const name of new Set(names)) {
    const listed = await list.get(name)?.();
    if (listed !== undefined) kinds.set(name, listed.kind);
  }
  return kinds;
}
