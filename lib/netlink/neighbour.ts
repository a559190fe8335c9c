/** What the host knows of its neighbours on a link (`ip neighbour show dev X`; linux/neighbour.h struct ndmsg). */
import { formatMac } from '../base/mac.ts';
import { isErrno } from '../base/errors.ts';
import type { Address } from '../base/ip.ts';
import { encode } from './codec.ts';
import { fdbMessage } from './fdb.ts';
import type { NetlinkMessage, NetlinkSocket } from './socket.ts';
import { RTM_GETNEIGH } from './uapi.ts';

export interface Neighbour {
  readonly address: Address;
  readonly mac: string;
}

/** Undefined for one that has not answered: the kernel tells a MAC address only of the others (neigh_fill_info). */
export function decodeNeighbour({ data }: Pick<NetlinkMessage, 'data'>): Neighbour | undefined {
  const { destination, mac } = fdbMessage.get(data).attributes;
  return destination && mac?.length === 6 ? { address: destination, mac: formatMac(mac) } : undefined;
}

/** Who has answered on the link, lately or long ago, in both families; of a link that is gone, nobody. */
export function listNeighbours(socket: NetlinkSocket, index: number): Neighbour[] {
  const header = { family: 0, index: 0, state: 0, flags: 0, type: 0 };
  const data = encode(fdbMessage, { ...header, attributes: { ifindex: index } });
  try {
    const entries = socket.dump({ type: RTM_GETNEIGH, data, op: `list the neighbours on #${index}` });
    return entries.flatMap((entry) => decodeNeighbour(entry) ?? []);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
