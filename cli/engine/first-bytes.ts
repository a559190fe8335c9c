/** What a client says first, and the descriptors that come with it, which Node would lose. */
import type { Reactor } from '../../lib/system/reactor.ts';
import { receiveRights } from '../../lib/system/rights.ts';
import type { Received } from '../../lib/system/rights.ts';

/** A request is mostly this long at most. */
const ROOM = 64 * 1024;

const OP = 'read a request';

/** `limit`: milliseconds; undefined when nothing came. Rejects with SystemError. */
export async function firstBytes(fd: number, reactor: Reactor, limit: number): Promise<Received | undefined> {
  const there = receiveRights(fd, ROOM, OP);
  if (there !== undefined) return there;
  const { promise, resolve, reject } = Promise.withResolvers<Received | undefined>();
  const timer = setTimeout(() => resolve(undefined), limit);
  const watch = reactor.watch(fd, () => {
    try {
      const received = receiveRights(fd, ROOM, OP);
      if (received !== undefined) resolve(received);
    } catch (error) {
      reject(error);
    }
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    watch.stop();
  }
}
