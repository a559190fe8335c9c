/**
 * Ids of network namespaces (ip-netns(8) `list-id`, linux/net_namespace.h, struct rtgenmsg): by what number one
 * namespace knows another. With it, links of that other one can be looked at and deleted without entering it, by
 * whoever is privileged in both, and also when no path leads there any more.
 *
 * An id lasts until either namespace ends; afterwards the kernel may give it to a third one. It does not keep the
 * namespace alive.
 */
import { isErrno } from '../base/errors.ts';
import { DecodeError } from './attributes.ts';
import { encode, headed, s32, struct, u32 } from './codec.ts';
import type { Decoded } from './codec.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { NETNSA_FD, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED, RTM_GETNSID, RTM_NEWNSID } from './uapi.ts';

/** In the order in which ip writes them. */
const nsidAttributes = struct({
  /** An open file descriptor of the namespace. */
  netnsFd: u32(NETNSA_FD),
  /** NETNSA_NSID_NOT_ASSIGNED for none yet; where it is to be given, for one that the kernel chooses. */
  nsid: s32(NETNSA_NSID),
});
export type NsidAttributes = Decoded<typeof nsidAttributes>;

/** What follows the netlink header of RTM_NEWNSID and its like (struct rtgenmsg); reading throws DecodeError. */
export const nsidMessage = headed('a message of a namespace id', { family: 1 }, nsidAttributes);

export function encodeNsid(attributes: NsidAttributes): Buffer {
  return encode(nsidMessage, { family: 0, attributes });
}

function lookup(netnsFd: number): NetlinkRequest {
  return { type: RTM_GETNSID, data: encodeNsid({ netnsFd }), op: 'look up the id of a namespace' };
}

/** Reads RTM_NEWNSID; undefined for "none". Throws DecodeError. */
export function decodeNsid({ data }: { readonly data: Buffer }): number | undefined {
  const { nsid } = nsidMessage.get(data).attributes;
  return nsid === NETNSA_NSID_NOT_ASSIGNED ? undefined : nsid;
}

/**
 * The id of an open namespace as the socket's knows it; undefined when it has none yet. EBADF when the descriptor is
 * none, EINVAL when it is one of something else.
 */
export function nsidOf(socket: NetlinkSocket, netnsFd: number): number | undefined {
  return decodeNsid(socket.ask(lookup(netnsFd)));
}

/** The same, and gives it one first when it has none. Somebody else may do so at the same time. */
export function assignNsid(socket: NetlinkSocket, netnsFd: number): number {
  const data = encodeNsid({ netnsFd, nsid: NETNSA_NSID_NOT_ASSIGNED });
  const assignment = { type: RTM_NEWNSID, data, op: 'give a namespace an id' };
  const { replies, failures } = socket.exchange([assignment, lookup(netnsFd)]);
  const failure = failures.find(({ error }) => !isErrno(error, 'EEXIST'));
  if (failure) throw failure.error;
  const answer = replies[1]?.find(({ type }) => type === RTM_NEWNSID);
  const nsid = answer && decodeNsid(answer);
  if (nsid === undefined) throw new DecodeError('the kernel did not tell the id of a namespace');
  return nsid;
}

/** The ids of all namespaces that the socket's knows. */
export function listNsids(socket: NetlinkSocket): number[] {
  const data = encodeNsid({});
  return socket
    .dump({ type: RTM_GETNSID, data, op: 'list the ids of namespaces' })
    .flatMap((message) => decodeNsid(message) ?? []);
}
