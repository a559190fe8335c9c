/** Waiting for what the kernel does in its own time, by its notifications (rtnetlink multicast groups) and never by sleeping. */
import { IF_OPER_UP, RTM_NEWLINK, decodeLink, findLink } from './link.ts';
import { NetlinkSocket } from './socket.ts';

const RTNLGRP_LINK = 1;

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
