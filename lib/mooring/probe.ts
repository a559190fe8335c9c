/** STATUS: trying the kernel in a namespace made for it, since what works there works for a container. */
import { NetmoorError, errorText } from '../base/errors.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { closeNetns, inNewNetns, openNetns } from '../system/netns.ts';
import type { Netns } from '../system/netns.ts';
import type { Sockets } from './host.ts';

/** A new namespace, and sockets in it. */
export interface Trial extends Sockets {
  readonly here: Netns;
}

function inTrial(work: (trial: Trial) => void): void {
  const route = NetlinkSocket.open('route');
  const netfilter = NetlinkSocket.open('netfilter');
  const here = openNetns('/proc/thread-self/ns/net');
  try {
    work({ route, netfilter, here });
  } finally {
    closeNetns(here);
    route.close();
    netfilter.close();
  }
}

/**
 * `needs`: what the plugin asks of a kernel, in words. Throws NetmoorError('not-available') for whatever `work` throws.
 */
export function tryKernel(plugin: string, needs: string, work: (trial: Trial) => void): void {
  try {
    inNewNetns(() => inTrial(work));
  } catch (error) {
    throw new NetmoorError(
      'not-available',
      `this kernel does not let ${plugin} work: ${errorText(error)}`,
      `it needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and a kernel with ${needs}`,
      { cause: error },
    );
  }
}
