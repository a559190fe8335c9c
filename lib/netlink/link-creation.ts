/** Making bridges and veth pairs. */
import { parseMac } from '../base/mac.ts';
import { DecodeError, text } from './attributes.ts';
import {
  IFLA_ADDRESS,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  RTM_NEWLINK,
  RTM_SETLINK,
  attributesOf,
  decodeLink,
  getRequest,
  header,
} from './link-message.ts';
import type { Link } from './link-message.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { putU32 } from './structs.ts';
import type { AttrStream } from './structs.ts';

const IFLA_NET_NS_FD = 28;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

/** Creates what the first request describes, finishes it and returns it, in one exchange. The name must be free (EEXIST). */
export function createAndFind(
  socket: NetlinkSocket,
  requests: readonly NetlinkRequest[],
  name: string,
): Link {
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
