/** Closing a descriptor without waiting for it: a packet socket's end waits for RCU (packet_release), some 20 ms. */
import { close } from 'node:fs';

/** Descriptors that are no longer used by anybody. */
export function closeAside(...fds: readonly number[]): void {
  // An error of close(2) leaves nothing to be done: the descriptor is gone.
  for (const fd of fds) close(fd, () => {});
}
