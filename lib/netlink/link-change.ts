/** Requests that change links and bridge ports. */
import { parseMac } from '../base/mac.ts';
import { encodeLink } from './link-codec.ts';
import type { NetlinkRequest } from './socket.ts';
import { AF_BRIDGE, IFF_PROMISC, IFF_UP, RTM_NEWLINK, RTM_SETLINK } from './uapi.ts';

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
  const { up, promiscuous, mac, mtu, master } = change;
  const flags = (up ? IFF_UP : 0) | (promiscuous ? IFF_PROMISC : 0);
  const mask = (up === undefined ? 0 : IFF_UP) | (promiscuous === undefined ? 0 : IFF_PROMISC);
  const attributes = {
    ...(mac !== undefined && { mac: parseMac(mac) }),
    ...(mtu !== undefined && { mtu }),
    ...(master !== undefined && { master }),
  };
  return { type: RTM_NEWLINK, op, data: encodeLink(attributes, { index, flags, change: mask }) };
}

/** The request that gives a link its alias; by name, for one that is created in the same exchange. */
export function labelling(
  link: { readonly name: string } | { readonly index: number },
  alias: string,
): NetlinkRequest {
  const named = 'name' in link;
  const op = `label interface ${named ? link.name : `#${link.index}`}`;
  const data = named ? encodeLink({ name: link.name, alias }) : encodeLink({ alias }, { index: link.index });
  return { type: RTM_SETLINK, op, data };
}

/** The request that sets flags of a bridge port (linux/if_link.h IFLA_BRPORT_*). */
export function portChange(
  index: number,
  change: { hairpin?: boolean; isolated?: boolean },
  op: string,
): NetlinkRequest {
  const port = {
    ...(change.hairpin !== undefined && { hairpin: Number(change.hairpin) }),
    ...(change.isolated !== undefined && { isolated: Number(change.isolated) }),
  };
  return { type: RTM_SETLINK, op, data: encodeLink({ port }, { family: AF_BRIDGE, index }) };
}
