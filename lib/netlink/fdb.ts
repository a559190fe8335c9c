/**
 * The unicast addresses a device listens to beside its own: `bridge fdb show dev X` calls them "self" (bridge(8),
 * linux/neighbour.h struct ndmsg).
 */
import { formatMac, parseMac } from '../base/mac.ts';
import { isErrno } from '../base/errors.ts';
import { bytes, encode, headed, struct, u32, u8 } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import type { NetlinkSocket } from './socket.ts';
import {
  AF_BRIDGE,
  NDA_DST,
  NDA_IFINDEX,
  NDA_LLADDR,
  NDA_MASTER,
  NDA_PROTOCOL,
  NTF_SELF,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './uapi.ts';

/** What follows the netlink header of RTM_NEWNEIGH and its like; reading throws DecodeError. */
export const fdbMessage = headed(
  'a message of a neighbour',
  { family: 1, index: 4, state: 2, flags: 1, type: 1 },
  struct({
    protocol: u8(NDA_PROTOCOL),
    destination: ipAddress(NDA_DST),
    mac: bytes(NDA_LLADDR),
    master: u32(NDA_MASTER),
    ifindex: u32(NDA_IFINDEX),
  }),
);

/** Of an entry of the device's own, not of a bridge it is a port of: its address, unless that is a multicast one. */
export function unicastOf({ data }: { readonly data: Buffer }): string | undefined {
  const { flags, attributes } = fdbMessage.get(data);
  const { mac } = attributes;
  if ((flags & NTF_SELF) === 0 || mac?.length !== 6) return undefined;
  return (mac[0] ?? 0) & 1 ? undefined : formatMac(mac);
}

/**
 * The macvlans on a master show here by their MAC addresses, whatever namespaces they are in, as long as they are up;
 * one in the mode passthru does not (macvlan_open). Of a device that is gone, none.
 */
export function listUnicast(socket: NetlinkSocket, index: number): string[] {
  const header = { family: AF_BRIDGE, index, state: 0, flags: 0, type: 0 };
  const data = encode(fdbMessage, { ...header, attributes: {} });
  const op = `list the addresses of interface #${index}`;
  try {
    return socket.dump({ type: RTM_GETNEIGH, data, op }).flatMap((message) => unicastOf(message) ?? []);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}

/**
 * The ifindex of the port behind which a bridge has last heard a MAC address (`bridge fdb get MAC br BRIDGE`);
 * undefined when it has not. Since Linux 5.0.
 */
export function portBehind(socket: NetlinkSocket, bridge: number, mac: string): number | undefined {
  const header = { family: AF_BRIDGE, index: 0, state: 0, flags: 0, type: 0 };
  const data = encode(fdbMessage, { ...header, attributes: { mac: parseMac(mac), master: bridge } });
  try {
    const answers = socket.request({ type: RTM_GETNEIGH, data, op: `ask bridge #${bridge} for ${mac}` });
    const [index] = answers
      .filter(({ type }) => type === RTM_NEWNEIGH)
      .map((message) => fdbMessage.get(message.data).index);
    return index === bridge ? undefined : index;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
}
