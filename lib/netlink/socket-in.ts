/** Work in a namespace for as long as it takes: by a socket that belongs to it, while the thread stays where it is. */
import { inNetns } from '../system/netns.ts';
import type { Netns } from '../system/netns.ts';
import { NetlinkSocket } from './socket.ts';
import type { NetlinkProtocol } from './transport.ts';

/** Runs synchronous `work` with a socket of the namespace, then closes it. Throws SystemError, and what `work` does. */
export function withSocketIn<T>(
  netns: Netns,
  protocol: NetlinkProtocol,
  work: (socket: NetlinkSocket) => T,
): T {
  const socket = inNetns(netns, () => NetlinkSocket.open(protocol));
  try {
    return work(socket);
  } finally {
    socket.close();
  }
}
