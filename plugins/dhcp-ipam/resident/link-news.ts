/** What RTM_NEWLINK says at a glance (rtnetlink(7)): a link may have broken and carry again before anybody looks. */
import { RTM_NEWLINK } from '../../../lib/netlink/uapi.ts';
import { carries } from '../carries.ts';

const HEADER = 16; // struct nlmsghdr
const INFO = 16; // struct ifinfomsg

/** ifindex of the links in this datagram that do not carry; of what is cut off, nothing is read. */
export function brokenIn(datagram: Buffer): number[] {
  const broken: number[] = [];
  for (let at = 0; at + HEADER + INFO <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    const flags = datagram.readUInt32LE(at + HEADER + 8);
    if (datagram.readUInt16LE(at + 4) === RTM_NEWLINK && !carries(flags))
      broken.push(datagram.readInt32LE(at + HEADER + 4));
    if (length < HEADER) break;
    at += (length + 3) & ~3;
  }
  return broken;
}
