/** What attaching and detaching share. */
import type { Ours } from '../../lib/cni/lists/invoke.ts';
import { PLUGIN_PATH } from '../../lib/cni/lists/places.ts';
import type { World } from '../../lib/cni/world.ts';
import type { Flags } from './flags.ts';
import type { ContainerState } from './state.ts';

export interface Task {
  readonly state: ContainerState;
  readonly flags: Flags;
  readonly world: World;
  readonly ours: Ours;
  /** A line for the log: what plugins say, what was passed over. */
  readonly note: (line: string) => void;
  readonly hostMap: string;
}

/** Where plugins of others are looked for. */
export function pathOf({ flags }: Pick<Task, 'flags'>): readonly string[] {
  return flags.cniPath.length > 0 ? flags.cniPath : PLUGIN_PATH;
}
