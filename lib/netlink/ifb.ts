/**
 * Intermediate functional blocks (drivers/net/ifb.c): what is redirected to one passes its queueing discipline and then goes on
 * as if it came from where it was taken. Thus the traffic that enters by an interface can wait in a queue.
 */
import { text } from './attributes.ts';
import { createAndFind } from './link-creation.ts';
import {
  IFF_UP,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  RTM_NEWLINK,
  attributesOf,
  header,
} from './link-message.ts';
import type { Link } from './link-message.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkSocket } from './socket.ts';
import { putU32 } from './structs.ts';
import type { AttrStream } from './structs.ts';

/** Creates an IFB, up. The name must be free (EEXIST). */
export function createIfb(socket: NetlinkSocket, name: string, mtu: number): Link {
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create IFB ${name}`,
    data: [
      header(0, 0, IFF_UP, IFF_UP),
      attributesOf((stream) => {
        stream.push(IFLA_IFNAME, text(name));
        stream.push(IFLA_MTU, putU32(mtu));
        stream.push(IFLA_LINKINFO, (info: AttrStream) => info.push(IFLA_INFO_KIND, text('ifb')));
      }),
    ],
  };
  return createAndFind(socket, [request], name);
}
