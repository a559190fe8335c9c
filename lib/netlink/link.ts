/** Finding links. */
import { isErrno } from '../base/errors.ts';
import { encodeLink } from './link-codec.ts';
import { decodeLink, getRequest } from './link-message.ts';
import type { Link } from './link-message.ts';
import type { NetlinkSocket } from './socket.ts';
import { RTEXT_FILTER_SKIP_STATS, RTM_GETLINK, RTM_NEWLINK } from './uapi.ts';

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
  const data = encodeLink({ extMask: RTEXT_FILTER_SKIP_STATS });
  return socket.dump({ type: RTM_GETLINK, data, op: 'list interfaces' }).map(decodeLink);
}
