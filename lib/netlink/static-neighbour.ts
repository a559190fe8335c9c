/**
 * Neighbours that somebody has written down (`ip neighbour add … nud permanent`; linux/neighbour.h struct ndmsg), taken
 * from one link to another. Those that the host has learnt it learns again.
 */
import { formatAddress } from '../base/ip.ts';
import { isErrno } from '../base/errors.ts';
import { encode } from './codec.ts';
import type { Decoded } from './codec.ts';
import { fdbMessage } from './fdb.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET,
  AF_INET6,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './uapi.ts';

export type StaticNeighbour = Decoded<typeof fdbMessage>;

/** What neigh_add takes; the rest says how an entry came to be. */
const KEPT = NTF_ROUTER | NTF_EXT_LEARNED;

/** Of a link, in both families; of one that is gone, none. Throws SystemError. */
export function listStaticNeighbours(socket: NetlinkSocket, index: number): StaticNeighbour[] {
  const header = { family: 0, index: 0, state: 0, flags: 0, type: 0 };
  const data = encode(fdbMessage, { ...header, attributes: { ifindex: index } });
  try {
    return socket
      .dump({ type: RTM_GETNEIGH, data, op: `list the neighbours on #${index}` })
      .map((each) => fdbMessage.get(each.data))
      .filter(({ family, state, index: on }) => {
        const isIp = family === AF_INET || family === AF_INET6;
        return isIp && on === index && (state & NUD_PERMANENT) !== 0;
      });
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}

function nameOf({ attributes: { destination } }: StaticNeighbour): string {
  return destination ? formatAddress(destination) : 'neighbour';
}

function messageFor(index: number, { family, flags, attributes }: StaticNeighbour): Buffer {
  const { destination, mac, protocol } = attributes;
  return encode(fdbMessage, {
    ...{ family, index, state: NUD_PERMANENT, flags: flags & KEPT, type: 0 },
    attributes: {
      ...(destination && { destination }),
      ...(mac && { mac }),
      ...(protocol !== undefined && { protocol }),
    },
  });
}

/** EEXIST where the link knows the neighbour already. */
export function neighbourAddition(index: number, neighbour: StaticNeighbour): NetlinkRequest {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    data: messageFor(index, neighbour),
    op: `add ${nameOf(neighbour)} to the neighbours on #${index}`,
  };
}

/** From the link that it was listed on; ENOENT when it is gone. */
export function neighbourRemoval(neighbour: StaticNeighbour): NetlinkRequest {
  const op = `remove ${nameOf(neighbour)} from the neighbours on #${neighbour.index}`;
  return { type: RTM_DELNEIGH, data: messageFor(neighbour.index, neighbour), op };
}
