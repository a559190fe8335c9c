/** Links (rtnetlink(7), linux/if_link.h, linux/rtnetlink.h): what the kernel tells of one, and the requests that make and change one. */
import { AttrStream, putU32 } from './structs.ts';
import { isErrno } from '../base/errors.ts';
import { formatMac, parseMac } from '../base/mac.ts';
import { Attributes, DecodeError } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const AF_BRIDGE = 7;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_PROMISCUITY = 30;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const NLA_F_NESTED = 0x8000;
const RTEXT_FILTER_SKIP_STATS = 8;

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

/** What a link is to be changed to; only what is given is touched. */
export interface LinkChange {
  readonly up?: boolean;
  readonly promiscuous?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly master?: number;
}

function header(family: number, index: number, flags = 0, change = 0): Buffer {
  const bytes = Buffer.alloc(IFINFOMSG);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** A name as the kernel takes it; the reason in words when it would not (dev_valid_name in net/core/dev.c). */
export function invalidIfname(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (Buffer.byteLength(name) > 15) return 'is longer than 15 bytes';
  if (name === '.' || name === '..') return 'is a reserved name';
  if (/[/:\s]/.test(name) || /[^\x21-\x7e]/.test(name))
    return 'contains a slash, a colon, white space or a control character';
  return undefined;
}

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

function attributesOf(fill: (stream: AttrStream) => void): Buffer {
  const stream = new AttrStream();
  fill(stream);
  return Buffer.concat(stream.bufs);
}

function getRequest(which: string | number): NetlinkRequest {
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

/** The link of that name or ifindex in the socket's namespace, or undefined. */
export function findLink(socket: NetlinkSocket, which: string | number): Link | undefined {
  try {
    return socket
      .request(getRequest(which))
      .filter((message) => message.type === RTM_NEWLINK)
      .map(decodeLink)[0];
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}

export function listLinks(socket: NetlinkSocket): Link[] {
  const data = [
    header(0, 0),
    attributesOf((stream) => stream.push(IFLA_EXT_MASK, putU32(RTEXT_FILTER_SKIP_STATS))),
  ];
  return socket.dump({ type: RTM_GETLINK, data, op: 'list interfaces' }).map(decodeLink);
}

/** Creates what the first request describes, finishes it and returns it, in one exchange. The name must be free (EEXIST). */
function createAndFind(socket: NetlinkSocket, requests: readonly NetlinkRequest[], name: string): Link {
  const message = socket.requestAll([...requests, getRequest(name)]).at(-1)?.[0];
  if (message === undefined) throw new DecodeError(`the kernel did not describe the new interface ${name}`);
  return decodeLink(message);
}

/** Creates a bridge, down, with a MAC address that stays whatever ports come and go, and an alias that says whose it is. */
export function createBridge(
  socket: NetlinkSocket,
  bridge: { name: string; mac: string; alias: string; mtu?: number },
): Link {
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create bridge ${bridge.name}`,
    data: [
      header(0, 0),
      attributesOf((stream) => {
        stream.push(IFLA_IFNAME, text(bridge.name));
        stream.push(IFLA_ADDRESS, parseMac(bridge.mac));
        if (bridge.mtu !== undefined) stream.push(IFLA_MTU, putU32(bridge.mtu));
        stream.push(IFLA_LINKINFO, (info: AttrStream) => info.push(IFLA_INFO_KIND, text('bridge')));
      }),
    ],
  };
  // rtnl_newlink_create takes no alias: it needs a request of its own, in the same datagram.
  const alias = attributesOf((stream) => {
    stream.push(IFLA_IFNAME, text(bridge.name));
    stream.push(IFLA_IFALIAS, Buffer.from(bridge.alias));
  });
  const naming = { type: RTM_SETLINK, op: `label bridge ${bridge.name}`, data: [header(0, 0), alias] };
  return createAndFind(socket, [request, naming], bridge.name);
}

/** The two ends of a veth; `netnsFd` is where the peer is born, under its final name and address. */
export interface VethPair {
  readonly name: string;
  readonly mac: string;
  readonly mtu?: number;
  readonly master?: number;
  readonly peer: { readonly name: string; readonly mac: string; readonly netnsFd: number };
}

/**
 * Creates a veth with its peer in another namespace. Neither end is up: a veth whose peer is being born elsewhere cannot
 * be created up (ENOTCONN from veth_open), so both are raised afterwards.
 */
export function createVeth(socket: NetlinkSocket, pair: VethPair): Link {
  const peer = (stream: AttrStream): void => {
    stream.emit(header(0, 0));
    stream.push(IFLA_IFNAME, text(pair.peer.name));
    stream.push(IFLA_ADDRESS, parseMac(pair.peer.mac));
    if (pair.mtu !== undefined) stream.push(IFLA_MTU, putU32(pair.mtu));
    stream.push(IFLA_NET_NS_FD, putU32(pair.peer.netnsFd));
  };
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create veth ${pair.name} with peer ${pair.peer.name}`,
    data: [
      header(0, 0),
      attributesOf((stream) => {
        stream.push(IFLA_IFNAME, text(pair.name));
        stream.push(IFLA_ADDRESS, parseMac(pair.mac));
        if (pair.mtu !== undefined) stream.push(IFLA_MTU, putU32(pair.mtu));
        if (pair.master !== undefined) stream.push(IFLA_MASTER, putU32(pair.master));
        stream.push(IFLA_LINKINFO, (info: AttrStream) => {
          info.push(IFLA_INFO_KIND, text('veth'));
          info.push(IFLA_INFO_DATA, (data: AttrStream) => data.push(VETH_INFO_PEER, peer));
        });
      }),
    ],
  };
  return createAndFind(socket, [request], pair.name);
}

/** The request that changes a link; to be pipelined with others. */
export function linkChange(index: number, change: LinkChange, op: string): NetlinkRequest {
  let flags = 0;
  let mask = 0;
  if (change.up !== undefined) {
    mask |= IFF_UP;
    if (change.up) flags |= IFF_UP;
  }
  if (change.promiscuous !== undefined) {
    mask |= IFF_PROMISC;
    if (change.promiscuous) flags |= IFF_PROMISC;
  }
  const attributes = attributesOf((stream) => {
    if (change.mac !== undefined) stream.push(IFLA_ADDRESS, parseMac(change.mac));
    if (change.mtu !== undefined) stream.push(IFLA_MTU, putU32(change.mtu));
    if (change.master !== undefined) stream.push(IFLA_MASTER, putU32(change.master));
  });
  return { type: RTM_NEWLINK, op, data: [header(0, index, flags, mask), attributes] };
}

/** The request that sets flags of a bridge port (linux/if_link.h IFLA_BRPORT_*). */
export function portChange(
  index: number,
  change: { hairpin?: boolean; isolated?: boolean },
  op: string,
): NetlinkRequest {
  const attributes = attributesOf((stream) => {
    if (change.hairpin !== undefined) stream.push(IFLA_BRPORT_MODE, Buffer.from([change.hairpin ? 1 : 0]));
    if (change.isolated !== undefined)
      stream.push(IFLA_BRPORT_ISOLATED, Buffer.from([change.isolated ? 1 : 0]));
  });
  // br_setlink insists on the nested flag, which AttrStream never sets: this header is written by hand.
  const nest = Buffer.alloc(4);
  nest.writeUInt16LE(4 + attributes.length, 0);
  nest.writeUInt16LE(IFLA_PROTINFO | NLA_F_NESTED, 2);
  return { type: RTM_SETLINK, op, data: [header(AF_BRIDGE, index), nest, attributes] };
}

/** Deletes a link; false when there was none. */
export function removeLink(socket: NetlinkSocket, which: string | number): boolean {
  const named = typeof which === 'string';
  const op = `delete interface ${named ? which : `#${which}`}`;
  const attributes = attributesOf((stream) => {
    if (named) stream.push(IFLA_IFNAME, text(which));
  });
  try {
    socket.request({ type: RTM_DELLINK, op, data: [header(0, named ? 0 : which), attributes] });
    return true;
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return false;
    throw error;
  }
}

/** Link groups above this number are ours, one for each removal: the ifindex of its first link makes them differ. */
const REMOVAL_GROUPS = 0x4e000000;

/**
 * Deletes links; those that are gone already are passed over. The kernel takes the members of a link group apart together, with one
 * wait for its grace periods (RCU, some 20 ms) instead of one for each.
 */
export function removeLinks(socket: NetlinkSocket, indexes: readonly number[]): void {
  const [first] = indexes;
  if (first === undefined) return;
  if (indexes.length === 1) {
    removeLink(socket, first);
    return;
  }
  const op = `delete interfaces ${indexes.map((index) => `#${index}`).join(', ')}`;
  const group = attributesOf((stream) => stream.push(IFLA_GROUP, putU32(REMOVAL_GROUPS + first)));
  const { failures } = socket.exchange([
    ...indexes.map((index) => ({ type: RTM_SETLINK, op, data: [header(0, index), group] })),
    { type: RTM_DELLINK, op, data: [header(0, 0), group] },
  ]);
  const failure = failures.find(({ error }) => error.code !== 'ENODEV');
  if (failure) throw failure.error;
}
