/**
 * Intermediate functional blocks (drivers/net/ifb.c): what is redirected to one passes its queueing discipline and then
 * goes on as if it came from where it was taken. Thus the traffic that enters by an interface can wait in a queue.
 */
import { encodeLink } from './link-codec.ts';
import { createAndFind } from './link-creation.ts';
import type { Link } from './link-message.ts';
import type { NetlinkSocket } from './socket.ts';
import { IFF_UP, NLM_F_CREATE, NLM_F_EXCL, RTM_NEWLINK } from './uapi.ts';

/** Creates an IFB, up. The name must be free (EEXIST). */
export function createIfb(socket: NetlinkSocket, name: string, mtu: number): Link {
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create IFB ${name}`,
    data: encodeLink({ name, mtu, info: { kind: 'ifb' } }, { flags: IFF_UP, change: IFF_UP }),
  };
  return createAndFind(socket, [request], name);
}
