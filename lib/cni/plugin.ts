/** What a plugin is to the dispatcher: one function for each command (CNI specification 1.1.0, section 2). */
import type { Netns } from '../system/netns.ts';
import type { CniConfig } from './config.ts';
import type { CniRequest } from './environment.ts';
import type { CniResult } from './result.ts';
import type { World } from './world.ts';

export interface Context {
  readonly request: CniRequest;
  readonly config: CniConfig;
  readonly world: World;
  /** A line for the runtime's log (stderr). */
  readonly note: (line: string) => void;
}

export interface AttachedContext extends Context {
  /** The container's namespace, held open by the dispatcher; for an IPAM plugin undefined. */
  readonly netns: Netns | undefined;
}

export interface Plugin {
  /** The name of the executable. */
  readonly name: string;
  /** One line that says what it is. */
  readonly about: string;
  /** 'ipam': called by other plugins, never touches CNI_NETNS, which is then not looked at. Default 'interface'. */
  readonly role?: 'interface' | 'ipam';
  add(context: AttachedContext): CniResult | Promise<CniResult>;
  check(context: AttachedContext): void | Promise<void>;
  /** `netns` is undefined when the namespace is gone. */
  del(context: AttachedContext): void | Promise<void>;
  gc?(context: Context): void | Promise<void>;
  /** Throws NetmoorError('not-available') when an ADD would fail. */
  status?(context: Context): void | Promise<void>;
}

/** The container's namespace, for plugins that need it. */
export function requireNetns({ netns, request }: AttachedContext): Netns {
  if (netns === undefined) throw new TypeError(`${request.command} without an open namespace`);
  return netns;
}
