/** Whether anything goes through a link, by its flags (linux/if.h, netdevice(7)). */
import { IFF_UP } from '../../lib/netlink/uapi.ts';

/** Operational, or of a kind that does not tell. */
const IFF_RUNNING = 0x40;

export function carries(flags: number): boolean {
  return (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0;
}
