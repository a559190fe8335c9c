/** Waiting for what the kernel does in its own time, by its notifications (rtnetlink multicast groups) and never by sleeping. */
import { IFA_F_DADFAILED, IFA_F_TENTATIVE, listAddresses } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { IF_OPER_UP, RTM_NEWLINK, decodeLink, findLink } from './link.ts';
import { NetlinkSocket } from './socket.ts';

const RTNLGRP_LINK = 1;
const RTNLGRP_IPV6_IFADDR = 9;

export interface LinkWatch {
  /**
   * Waits until the link is operationally up; false when `milliseconds` passed first. A bridge port forwards from that
   * moment: before it, what a container sends is lost.
   */
  untilUp(index: number, milliseconds: number, now: () => number): boolean;
  close(): void;
}

/** Subscribes, in the calling thread's namespace; to be opened before the change whose effect is awaited. */
export function watchLinks(): LinkWatch {
  const notifications = NetlinkSocket.open('route', { groups: [RTNLGRP_LINK] });
  return {
    untilUp(index, milliseconds, now) {
      // The notification may have come and gone before this socket listened.
      const state = (): boolean => findLink(notifications, index)?.operstate === IF_OPER_UP;
      if (state()) return true;
      const deadline = now() + milliseconds;
      for (;;) {
        const left = deadline - now();
        const messages = left > 0 ? notifications.receive(left, 'wait for a link to come up') : undefined;
        if (messages === undefined) return state();
        const links = messages.filter((message) => message.type === RTM_NEWLINK).map(decodeLink);
        if (links.some((link) => link.index === index && link.operstate === IF_OPER_UP)) return true;
      }
    },
    close: () => notifications.close(),
  };
}

/**
 * Waits until duplicate address detection of every address of a link has ended, from `notifications`, a socket of
 * openAddressWatch() in the link's namespace. Returns the addresses that somebody else has, and those still undecided after
 * `milliseconds`.
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
    const duplicate = addresses.filter(({ flags }) => (flags & IFA_F_DADFAILED) !== 0);
    const undecided = addresses.filter(
      ({ flags }) => (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === IFA_F_TENTATIVE,
    );
    const left = deadline - now();
    if (undecided.length === 0 || left <= 0) return { duplicate, undecided };
    notifications.receive(left, 'wait for duplicate address detection');
  }
}

/** In the calling thread's namespace; to be opened before the addresses are added. */
export function openAddressWatch(): NetlinkSocket {
  return NetlinkSocket.open('route', { groups: [RTNLGRP_IPV6_IFADDR] });
}
