/** What the steps of one ADD have in common. */
import type { Host } from '../../lib/mooring/host.ts';
import type { Request } from '../../lib/mooring/kind.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { MacvlanConfig } from './config.ts';

export interface Work {
  readonly host: Host;
  readonly request: Request<MacvlanConfig>;
  readonly sandbox: Sandbox;
}

/** What the kernel has made. */
export interface Made {
  readonly link: Link;
  readonly master: Link;
  /** The container's namespace as the host numbers it. */
  readonly nsid: number;
}
