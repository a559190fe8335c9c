/** DHCPv4 messages for tests. */
import { EMPTY_MESSAGE } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import type { Wish4 } from '../../ipam/dhcp/v4/wish.ts';

export const MAC = '02:00:00:00:00:01';
export const CLIENT_ID = 'ff00000001000400112233445566778899aabbccddeeff';
export const WISH: Wish4 = { mac: MAC, clientId: CLIENT_ID, checkAddress: false };

type Entry = readonly [number, Buffer];

/** From a server, but for what `head` says. */
export function reply(
  type: Message4['type'],
  xid: number,
  entries: readonly Entry[],
  head: Partial<Message4> = {},
): Message4 {
  return { ...EMPTY_MESSAGE, op: 'reply', type, xid, chaddr: MAC, options: new Map(entries), ...head };
}
