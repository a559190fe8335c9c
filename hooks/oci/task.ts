/** What attaching and detaching share. */
import type { Attachment, Ours } from '../../lib/cni/lists/invoke.ts';
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

/** What every call for one interface of the container has, before more is known of it. */
export function bareAttachment({ state, flags }: Task, ifname: string, defaultPath: readonly string[]): Attachment {
  const path = flags.cniPath.length > 0 ? flags.cniPath : defaultPath;
  return { containerId: state.id, ifname, netns: '', args: new Map(), capabilities: {}, path };
}
