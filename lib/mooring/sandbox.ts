/** A container's namespace as a plugin works in it. */
import { NetmoorError } from '../base/errors.ts';
import type { World } from '../cni/world.ts';
import { findLink } from '../netlink/link.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { inNetns } from '../system/netns.ts';
import type { Netns } from '../system/netns.ts';
import type { WithProcfs } from '../system/procfs.ts';

/** A container's namespace with a socket held open in it. */
export interface Sandbox {
  readonly netns: Netns;
  readonly route: NetlinkSocket;
  readonly withProcfs: WithProcfs;
}

/** Opens a socket in the namespace, to be held for as long as something is done there. */
export function openSandbox(netns: Netns, { withProcfs }: Pick<World, 'withProcfs'>): Sandbox {
  return { netns, route: inNetns(netns, () => NetlinkSocket.open('route')), withProcfs };
}

/** Throws NetmoorError('ifname-taken') when the container has an interface of that name. */
export function refuseTaken({ route }: Sandbox, ifname: string): void {
  if (!findLink(route, ifname)) return;
  throw new NetmoorError(
    'ifname-taken',
    `the container has an interface ${ifname} already`,
    'choose another interface name, or detach the network that made it first (DEL)',
  );
}
