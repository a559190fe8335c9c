/** How a machine's messages get onto the link of a container and back. */
import { isErrno } from '../../../lib/base/errors.ts';
import type { Sender } from '../../../ipam/dhcp/machine.ts';

/** What has come. */
export interface Listener<Message> {
  readonly heard: (message: Message, from: Sender) => void;
  /** What could not be sent before may be sent now. */
  readonly ready: () => void;
  /** Nothing more will come: the transport is to be closed. */
  readonly broken: (error: unknown) => void;
}

/** Messages looked at before others have their turn. */
const MOST_AT_ONCE = 64;

/**
 * Takes what has come, one after the other: `next` returns false when there is nothing more, or it was closed over the
 * last one. An interface that is down says so once, and may come up again.
 */
export function takeAll(next: () => boolean, broken: (error: unknown) => void): void {
  for (let count = 0; count < MOST_AT_ONCE; count++) {
    try {
      if (!next()) return;
    } catch (error) {
      if (isErrno(error, 'ENETDOWN', 'ENOBUFS')) continue;
      broken(error);
      return;
    }
  }
}

/**
 * Open sockets hold a namespace, and all that is in it: a transport lives as long as an exchange, no longer.
 */
export interface Transport<Message> {
  /** False when the interface cannot send yet: `ready` tells when to try again. Throws SystemError. */
  send(message: Message, to: 'everyone' | string, from: string | undefined): boolean;
  close(): void;
}

/** Throws SystemError, or NetmoorError('bad-netns') when the container is gone. */
export type OpenTransport<Message> = (listener: Listener<Message>) => Promise<Transport<Message>>;
