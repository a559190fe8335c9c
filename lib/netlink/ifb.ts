/**
 * Intermediate functional blocks (drivers/net/ifb.c): what is redirected to one passes its queueing discipline and then goes on
 * as if it came from where it was taken. Thus the traffic that enters by an interface can wait in a queue.
 */
import { AttrStream, putU32 } from './structs.ts';
import { DecodeError } from './attributes.ts';
import { findLink } from './link.ts';
import { IFF_UP, RTM_NEWLINK } from './link-message.ts';
import type { Link } from './link-message.ts';
import { text } from './qdisc.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFINFOMSG = 16;
const FLAGS = 8;
const CHANGE = 12;

function creation(name: string, mtu: number): NetlinkRequest {
  const header = Buffer.alloc(IFINFOMSG);
  header.writeUInt32LE(IFF_UP, FLAGS);
  header.writeUInt32LE(IFF_UP, CHANGE);
  const stream = new AttrStream();
  stream.push(IFLA_IFNAME, text(name));
  stream.push(IFLA_MTU, putU32(mtu));
  stream.push(IFLA_LINKINFO, (info: AttrStream) => info.push(IFLA_INFO_KIND, text('ifb')));
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    data: [header, ...stream.bufs],
    op: `create IFB ${name}`,
  };
}

/** Creates an IFB, up. The name must be free (EEXIST). */
export function createIfb(socket: NetlinkSocket, name: string, mtu: number): Link {
  socket.request(creation(name, mtu));
  const link = findLink(socket, name);
  if (link === undefined) throw new DecodeError(`the kernel did not describe the new interface ${name}`);
  return link;
}
