/** Finding links. */
import { isErrno } from '../base/errors.ts';
import { encodeLink } from './link-codec.ts';
import { absence, decodeLink, getRequest, whereAttributes } from './link-message.ts';
import type { Link, Whereabouts } from './link-message.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import { RTEXT_FILTER_SKIP_STATS, RTM_GETLINK, RTM_NEWLINK } from './uapi.ts';

/** What the kernel tells of that link (RTM_NEWLINK), undecoded. */
export function askForLink(
  socket: NetlinkSocket,
  which: string | number,
  where: Whereabouts = {},
): NetlinkMessage | undefined {
  try {
    const told = socket.ask(getRequest(which, where));
    return told.type === RTM_NEWLINK ? told : undefined;
  } catch (error) {
    if (isErrno(error, ...absence(where))) return undefined;
    throw error;
  }
}

/** The link of that name or ifindex, in the socket's namespace unless `where` names another; or undefined. */
export function findLink(
  socket: NetlinkSocket,
  which: string | number,
  where: Whereabouts = {},
): Link | undefined {
  const told = askForLink(socket, which, where);
  return told && decodeLink(told);
}

function listing(where: Whereabouts): NetlinkRequest {
  const data = encodeLink({ ...whereAttributes(where), extMask: RTEXT_FILTER_SKIP_STATS });
  return { type: RTM_GETLINK, data, op: 'list interfaces' };
}

function unlessGone(where: Whereabouts, list: () => NetlinkMessage[]): Link[] {
  try {
    return list().map(decodeLink);
  } catch (error) {
    if (where.nsid !== undefined && isErrno(error, 'EINVAL')) return [];
    throw error;
  }
}

/** All links of the socket's namespace, or of another; of one that is gone, none. */
export function listLinks(socket: NetlinkSocket, where: Whereabouts = {}): Link[] {
  return unlessGone(where, () => socket.dump(listing(where)));
}

/**
 * The same of a container's namespace, whose root may make and remove as many as he likes while they are listed: what
 * was seen (NetlinkSocket.glimpse), some of it perhaps twice.
 */
export function glimpseLinks(socket: NetlinkSocket, nsid: number): Link[] {
  return unlessGone({ nsid }, () => socket.glimpse(listing({ nsid })));
}
