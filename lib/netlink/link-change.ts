/** Requests that change links and bridge ports. */
import { parseMac } from '../base/mac.ts';
import {
  IFF_PROMISC,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_BRPORT_ISOLATED,
  IFLA_BRPORT_MODE,
  IFLA_MASTER,
  IFLA_MTU,
  RTM_NEWLINK,
  RTM_SETLINK,
  attributesOf,
  header,
} from './link-message.ts';
import type { NetlinkRequest } from './socket.ts';
import { putU32 } from './structs.ts';

const AF_BRIDGE = 7;
const IFLA_PROTINFO = 12;
const NLA_F_NESTED = 0x8000;

/** What a link is to be changed to; only what is given is touched. */
export interface LinkChange {
  readonly up?: boolean;
  readonly promiscuous?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly master?: number;
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
