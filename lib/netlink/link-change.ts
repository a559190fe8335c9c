/** Requests that change links and bridge ports. */
import { parseMac } from '../base/mac.ts';
import { encodeLink } from './link-codec.ts';
import type { NetlinkRequest } from './socket.ts';
import { AF_BRIDGE, IFF_ALLMULTI, IFF_PROMISC, IFF_UP, RTM_NEWLINK, RTM_SETLINK } from './uapi.ts';

/** What a link is to be changed to; only what is given is touched. */
export interface LinkChange {
  readonly up?: boolean;
  readonly promiscuous?: boolean;
  readonly allMulticast?: boolean;
  /** How many packets wait at most. */
  readonly txQueueLength?: number;
  readonly mtu?: number;
  readonly mac?: string;
  readonly master?: number;
}

/** The request that changes a link; to be pipelined with others. */
export function linkChange(index: number, change: LinkChange, op: string): NetlinkRequest {
  const { up, promiscuous, allMulticast, txQueueLength, mac, mtu, master } = change;
  const wanted = [
    [IFF_UP, up],
    [IFF_PROMISC, promiscuous],
    [IFF_ALLMULTI, allMulticast],
  ] as const;
  const flags = wanted.reduce((sum, [flag, on]) => sum | (on ? flag : 0), 0);
  const mask = wanted.reduce((sum, [flag, on]) => sum | (on === undefined ? 0 : flag), 0);
  const attributes = {
    ...(mac !== undefined && { mac: parseMac(mac) }),
    ...(mtu !== undefined && { mtu }),
    ...(txQueueLength !== undefined && { txQueueLength }),
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
