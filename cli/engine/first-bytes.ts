/** What a client says first, and the descriptors that come with it, which Node would lose. */
import type { Reactor } from '../../lib/system/reactor.ts';
import { receiveRights } from '../../lib/system/rights.ts';
import type { Received } from '../../lib/system/rights.ts';
import { waitReadable } from '../../lib/system/syscall.ts';

/** A request is mostly this long at most. */
const ROOM = 64 * 1024;

const OP = 'read a request';

/** Milliseconds that the main loop waits for who is about to say something: nobody else is there to be kept waiting. */
const MOMENT = 1;

/** How long a client may take. */
export interface Patience {
  /** Milliseconds. */
  readonly limit: number;
  /** There is no other client: on a busy processor this one waits for us to let it say what it has to say. */
  readonly alone: boolean;
}

function soon(fd: number, alone: boolean): Received | undefined {
  const there = receiveRights(fd, ROOM, OP);
  if (there !== undefined || !alone || !waitReadable(fd, MOMENT, OP)) return there;
  return receiveRights(fd, ROOM, OP);
}

/** Undefined when nothing came in time. Rejects with SystemError. */
export async function firstBytes(
  fd: number,
  reactor: Reactor,
  { limit, alone }: Patience,
): Promise<Received | undefined> {
  const there = soon(fd, alone);
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
