/** Deleting links. */
import { isErrno } from '../base/errors.ts';
import { encodeLink } from './link-codec.ts';
import { absence, whereAttributes } from './link-message.ts';
import type { Link, Whereabouts } from './link-message.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { RTM_DELLINK, RTM_SETLINK } from './uapi.ts';

/** The request that deletes a link; ENODEV when there is none, EINVAL when its namespace is gone. */
export function linkRemoval(which: string | number, where: Whereabouts = {}): NetlinkRequest {
  const named = typeof which === 'string';
  const op = `delete interface ${named ? which : `#${which}`}`;
  const data = encodeLink(
    { ...(named && { name: which }), ...whereAttributes(where) },
    { index: named ? 0 : which },
  );
  return { type: RTM_DELLINK, op, data };
}

/** Deletes a link; false when there was none. */
export function removeLink(socket: NetlinkSocket, which: string | number, where: Whereabouts = {}): boolean {
  try {
    socket.request(linkRemoval(which, where));
    return true;
  } catch (error) {
    if (isErrno(error, ...absence(where))) return false;
    throw error;
  }
}

/** Link groups above this number are ours, one for each removal: the ifindex of its first link makes them differ. */
const REMOVAL_GROUPS = 0x4e000000;

/**
 * Deletes links; those that are gone already are passed over. The kernel takes the members of a link group apart
 * together, with one wait for its grace periods (RCU, some 20 ms) instead of one for each.
 */
export function removeLinks(socket: NetlinkSocket, links: readonly Link[]): void {
  const indexes = links.map(({ index }) => index);
  const [first] = indexes;
  if (first === undefined) return;
  if (indexes.length === 1) {
    removeLink(socket, first);
    return;
  }
  const op = `delete interfaces ${indexes.map((index) => `#${index}`).join(', ')}`;
  const group = REMOVAL_GROUPS + first;
  const { failures } = socket.exchange([
    ...indexes.map((index) => ({ type: RTM_SETLINK, op, data: encodeLink({ group }, { index }) })),
    { type: RTM_DELLINK, op, data: encodeLink({ group }) },
  ]);
  const failure = failures.find(({ error }) => error.code !== 'ENODEV');
  if (failure) throw failure.error;
}
