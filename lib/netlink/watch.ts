/**
 * Waiting for what the kernel does in its own time, by its notifications (rtnetlink multicast groups) and never by
 * sleeping.
 */
import { listAddresses } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { findLink } from './link.ts';
import { NetlinkSocket } from './socket.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  IF_OPER_UP,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_LINK,
} from './uapi.ts';

export {
  RTM_NEWNDUSEROPT,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_IFINFO,
  RTNLGRP_IPV6_PREFIX,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_ND_USEROPT,
} from './uapi.ts';

/**
 * Listens to groups (RTNLGRP_*), in the calling thread's namespace, from now on: what was before is to be asked for
 * once it is open. To be read by awaitMessages() or awaitChange().
 */
export function openWatch(groups: readonly number[]): NetlinkSocket {
  return NetlinkSocket.open('route', { groups });
}

/**
 * Waits until a link of the calling thread's namespace is operationally up; false when `milliseconds` passed first. A
 * bridge port forwards from that moment: before it, what a container sends is lost. `socket` is one of that namespace.
 */
export function untilLinkUp(
  socket: NetlinkSocket,
  index: number,
  milliseconds: number,
  now: () => number,
  listen: () => NetlinkSocket = () => openWatch([RTNLGRP_LINK]),
): boolean {
  const isUp = (): boolean => findLink(socket, index)?.operstate === IF_OPER_UP;
  // Mostly it is up at once, and nothing need be subscribed to.
  if (isUp()) return true;
  const deadline = now() + milliseconds;
  const notifications = listen();
  try {
    for (;;) {
      // Asked again first: the socket is told nothing of what happened before it listened.
      if (isUp()) return true;
      const left = deadline - now();
      if (left <= 0) return false;
      notifications.awaitChange(left, 'wait for a link to come up');
    }
  } finally {
    notifications.close();
  }
}

/**
 * Waits until duplicate address detection of every address of a link has ended, from `notifications`, a socket of
 * openAddressWatch() in the link's namespace. Returns the addresses that somebody else has, and those still undecided
 * after `milliseconds`.
 */
export function untilDetected(
  notifications: NetlinkSocket,
  index: number,
  milliseconds: number,
  now: () => number,
): { duplicate: InterfaceAddress[]; undecided: InterfaceAddress[] } {
  const deadline = now() + milliseconds;
  for (;;) {
    const addresses = listAddresses(notifications, index);
    const duplicate = addresses.filter(
      // For RFC 7217 the kernel tries another one by itself, and leaves this where it is.
      ({ flags }) => (flags & (IFA_F_DADFAILED | IFA_F_STABLE_PRIVACY)) === IFA_F_DADFAILED,
    );
    const undecided = addresses.filter(
      ({ flags }) => (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === IFA_F_TENTATIVE,
    );
    const left = deadline - now();
    if (undecided.length === 0 || left <= 0) return { duplicate, undecided };
    notifications.awaitChange(left, 'wait for duplicate address detection');
  }
}

/** In the calling thread's namespace; to be opened before the addresses are added. */
export function openAddressWatch(): NetlinkSocket {
  return openWatch([RTNLGRP_IPV6_IFADDR]);
}
