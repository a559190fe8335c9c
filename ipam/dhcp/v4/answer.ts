/** Whether a message is an answer to what was asked, and can be used. */
import { SHORTEST_LEASE_S } from '../shortest.ts';
import { isHostAddress, isHostWithin } from './host-address.ts';
import { prefixLengthOf } from './lease-from.ts';
import { leaseSeconds } from './lease-times.ts';
import type { Message4 } from './message.ts';
import { CLIENT_IDENTIFIER, SERVER_IDENTIFIER, soundOption } from './options/known.ts';
import type { Wish4 } from './wish.ts';

export interface Answer {
  readonly type: 'offer' | 'ack' | 'nak';
  /** Option 54. */
  readonly server: string;
  readonly message: Message4;
}

/** RFC 6842: a server tells the client identifier again, an older one may leave it out. */
function isMeant({ op, chaddr, options, ...message }: Message4, wish: Wish4, xid: number): boolean {
  if (op !== 'reply' || message.xid !== xid || chaddr !== wish.mac.toLowerCase()) return false;
  const { code } = CLIENT_IDENTIFIER;
  return !options.has(code) || options.get(code)?.toString('hex') === wish.clientId.toLowerCase();
}

function isUsable({ yiaddr, options }: Message4): boolean {
  return (
    isHostAddress(yiaddr) &&
    isHostWithin(yiaddr, prefixLengthOf(yiaddr, options)) &&
    leaseSeconds(options) >= SHORTEST_LEASE_S
  );
}

/** Undefined for all that is to be ignored. */
export function answerIn(message: Message4, wish: Wish4, xid: number): Answer | undefined {
  const { type } = message;
  if (type !== 'offer' && type !== 'ack' && type !== 'nak') return undefined;
  const server = soundOption(message.options, SERVER_IDENTIFIER);
  if (server === undefined || !isHostAddress(server) || !isMeant(message, wish, xid)) return undefined;
  return type === 'nak' || isUsable(message) ? { type, server, message } : undefined;
}
