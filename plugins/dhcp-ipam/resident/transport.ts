/** How a machine's messages get onto the link of a container and back. */
import type { Sender } from '../../../ipam/dhcp/machine.ts';

/** What has come, or why nothing more will: the namespace or the interface is gone. */
export interface Listener<Message> {
  readonly heard: (message: Message, from: Sender) => void;
  /** What could not be sent before may be sent now. */
  readonly ready: () => void;
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
