/** Deleting links. */
import { isErrno } from '../base/errors.ts';
import { text } from './attributes.ts';
import { IFLA_IFNAME, RTM_SETLINK, attributesOf, header } from './link-message.ts';
import type { Link } from './link-message.ts';
import type { NetlinkSocket } from './socket.ts';
import { putU32 } from './structs.ts';

const RTM_DELLINK = 17;
const IFLA_GROUP = 27;

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
export function removeLinks(socket: NetlinkSocket, links: readonly Link[]): void {
  const indexes = links.map(({ index }) => index);
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
