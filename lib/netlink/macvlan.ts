/** Making macvlans: further interfaces, with MAC addresses of their own, on the segment of another (ip-link(8)). */
import { parseMac } from '../base/mac.ts';
import { encodeLink } from './link-codec.ts';
import { MACVLAN_MODES } from './macvlan-codec.ts';
import type { MacvlanMode } from './macvlan-codec.ts';
import type { NetlinkRequest } from './socket.ts';
import { NLM_F_CREATE, NLM_F_EXCL, RTM_NEWLINK } from './uapi.ts';

export { MACVLAN_FLAG_NOPROMISC } from './uapi.ts';
export type { MacvlanMode } from './macvlan-codec.ts';

export interface MacvlanCreation {
  readonly name: string;
  /** ifindex where it is born; one that the kernel chooses when absent. EBUSY, or EEXIST, when somebody has it. */
  readonly index?: number;
  /** Random when absent; in the mode passthru the master's, whatever is said here (macvlan_common_newlink). */
  readonly mac?: string;
  /** The master's when absent; EINVAL when it is larger than that. */
  readonly mtu?: number;
  /** ifindex in the socket's namespace. */
  readonly master: number;
  readonly mode: MacvlanMode;
  /** Where it is born, under its final name; an open file descriptor. */
  readonly netnsFd?: number;
  /** How many broadcasts wait for it at most (kernel 5.11; earlier ones do not look at it). */
  readonly bcQueueLength?: number;
  /** MACVLAN_FLAG_* */
  readonly flags?: number;
}

/**
 * Creates a macvlan, down. Its name must be free where it is born (EEXIST); a master in the mode passthru has no room
 * for another one (EINVAL), and a master with others none for one in that mode.
 */
export function macvlanCreation(macvlan: MacvlanCreation): NetlinkRequest {
  const { name, index, mac, mtu, master, mode, netnsFd, bcQueueLength, flags } = macvlan;
  const attributes = {
    name,
    link: master,
    ...(mac !== undefined && { mac: parseMac(mac) }),
    ...(mtu !== undefined && { mtu }),
    ...(netnsFd !== undefined && { netnsFd }),
    info: {
      kind: 'macvlan',
      macvlan: {
        mode: MACVLAN_MODES[mode],
        ...(bcQueueLength !== undefined && { bcQueueLength }),
        ...(flags !== undefined && { flags }),
      },
    },
  };
  const data = encodeLink(attributes, { index: index ?? 0 });
  const op = `create macvlan ${name} on interface #${master}`;
  return { type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, op, data };
}
