/** Link messages (rtnetlink(7), linux/if_link.h, linux/rtnetlink.h): what they are made of, and what the kernel tells of a link. */
import { formatMac } from '../base/mac.ts';
import { Attributes, DecodeError, text } from './attributes.ts';
import type { NetlinkMessage, NetlinkRequest } from './socket.ts';
import { AttrStream, putU32 } from './structs.ts';

export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_IFALIAS = 20;
export const IFLA_EXT_MASK = 29;
const IFLA_PROMISCUITY = 30;
const IFLA_LINK_NETNSID = 37;
export const IFLA_INFO_KIND = 1;
const IFLA_INFO_SLAVE_DATA = 5;
export const IFLA_BRPORT_MODE = 4;
export const IFLA_BRPORT_ISOLATED = 33;
export const RTEXT_FILTER_SKIP_STATS = 8;

export const IFF_UP = 0x1;
export const IFF_PROMISC = 0x100;
/** if_link.h / RFC 2863 */
export const IF_OPER_UP = 6;

const IFINFOMSG = 16;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly flags: number;
  readonly mac: string | undefined;
  readonly mtu: number;
  readonly operstate: number;
  /** ifindex of the bridge (or bond, VRF) it is a port of. */
  readonly master: number | undefined;
  /** ifindex of the other end of a veth, in the namespace that netnsid names. */
  readonly peer: number | undefined;
  readonly netnsid: number | undefined;
  /** Free text that a person or tool attached to the link. */
  readonly alias: string | undefined;
  /** rtnl_link_ops kind: "bridge", "veth", …; absent for a physical device. */
  readonly kind: string | undefined;
  readonly promiscuity: number;
  readonly hairpin: boolean | undefined;
  readonly isolated: boolean | undefined;
}

/** struct ifinfomsg (linux/rtnetlink.h). */
export function header(family: number, index: number, flags = 0, change = 0): Buffer {
  const bytes = Buffer.alloc(IFINFOMSG);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

/** The attributes that `fill` pushes, as bytes. */
export function attributesOf(fill: (stream: AttrStream) => void): Buffer {
  const stream = new AttrStream();
  fill(stream);
  return Buffer.concat(stream.bufs);
}

/** Reads RTM_NEWLINK and RTM_DELLINK; throws DecodeError. */
export function decodeLink(message: NetlinkMessage): Link {
  if (message.data.length < IFINFOMSG)
    throw new DecodeError(`a link message has ${message.data.length} bytes`);
  const attributes = new Attributes(message.data.subarray(IFINFOMSG));
  const info = attributes.nested(IFLA_LINKINFO);
  const port = info?.nested(IFLA_INFO_SLAVE_DATA);
  const mac = attributes.bytes(IFLA_ADDRESS);
  return {
    index: message.data.readInt32LE(4),
    flags: message.data.readUInt32LE(8),
    name: attributes.string(IFLA_IFNAME) ?? '',
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    operstate: attributes.u8(IFLA_OPERSTATE) ?? 0,
    master: attributes.u32(IFLA_MASTER),
    peer: attributes.u32(IFLA_LINK),
    netnsid: attributes.u32(IFLA_LINK_NETNSID),
    alias: attributes.string(IFLA_IFALIAS),
    kind: info?.string(IFLA_INFO_KIND),
    promiscuity: attributes.u32(IFLA_PROMISCUITY) ?? 0,
    hairpin: port && port.u8(IFLA_BRPORT_MODE) === 1,
    isolated: port && port.u8(IFLA_BRPORT_ISOLATED) === 1,
  };
}

/** The request for one link, by name or ifindex. */
export function getRequest(which: string | number): NetlinkRequest {
  const named = typeof which === 'string';
  return {
    type: RTM_GETLINK,
    op: `look up interface ${named ? which : `#${which}`}`,
    data: [
      header(0, named ? 0 : which),
      attributesOf((stream) => {
        if (named) stream.push(IFLA_IFNAME, text(which));
        stream.push(IFLA_EXT_MASK, putU32(RTEXT_FILTER_SKIP_STATS));
      }),
    ],
  };
}
