/** The messages of a client (RFC 2131, section 4.4.1, table 5). */
import type { Lease4 } from '../lease.ts';
import { hostOf } from './data.ts';
import type { Offer } from './data.ts';
import { EMPTY_MESSAGE, MESSAGE_LIMIT } from './message.ts';
import type { Message4 } from './message.ts';
import {
  CLIENT_FQDN,
  CLIENT_IDENTIFIER,
  HOST_NAME,
  MAX_MESSAGE_SIZE,
  PARAMETER_REQUEST_LIST,
  RAPID_COMMIT,
  REQUESTED_ADDRESS,
  SERVER_IDENTIFIER,
  written,
} from './options/known.ts';
import { DEFAULT_REQUEST, OWN_OPTIONS } from './wish.ts';
import type { Wish4 } from './wish.ts';

type Entry = readonly [number, Buffer];

/** Which exchange it belongs to, and for how many seconds that has gone on. */
export interface Tag {
  readonly xid: number;
  readonly secs: number;
}

function nameEntries({ hostname, fqdn }: Wish4): Entry[] {
  if (fqdn !== undefined) {
    const flags = { serverUpdates: true, overridden: false, noUpdate: false };
    return [written(CLIENT_FQDN, { name: fqdn, partial: !fqdn.includes('.'), ...flags })];
  }
  return hostname === undefined ? [] : [written(HOST_NAME, hostname)];
}

/** What DISCOVER and REQUEST say alike: who the client is, and what it wants. */
function wishEntries(wish: Wish4): Entry[] {
  const wanted = new Set([...(wish.replaceDefaults ? [] : DEFAULT_REQUEST), ...(wish.request ?? [])]);
  const provided = Object.entries(wish.provide ?? {}).map(
    ([code, hex]): Entry => [Number(code), Buffer.from(hex, 'hex')],
  );
  return [
    written(CLIENT_IDENTIFIER, wish.clientId),
    written(MAX_MESSAGE_SIZE, MESSAGE_LIMIT),
    ...(wanted.size > 0 ? [written(PARAMETER_REQUEST_LIST, [...wanted])] : []),
    ...nameEntries(wish),
    ...provided.filter(([code]) => !OWN_OPTIONS.has(code)),
  ];
}

function messageOf(
  wish: Wish4,
  type: Message4['type'],
  tag: Tag,
  entries: readonly Entry[],
  head: Partial<Message4> = {},
): Message4 {
  const { mac, broadcast = false } = wish;
  const options = new Map(entries);
  return {
    ...EMPTY_MESSAGE,
    op: 'request',
    type,
    ...tag,
    chaddr: mac.toLowerCase(),
    broadcast,
    options,
    ...head,
  };
}

export function discover(wish: Wish4, tag: Tag, prefer: string | undefined): Message4 {
  return messageOf(wish, 'discover', tag, [
    ...(prefer === undefined ? [] : [written(REQUESTED_ADDRESS, prefer)]),
    ...(wish.rapidCommit ? [written(RAPID_COMMIT, true)] : []),
    ...wishEntries(wish),
  ]);
}

/** SELECTING: of all offers, this one is taken. */
export function requestOffered(wish: Wish4, tag: Tag, { address, server }: Offer): Message4 {
  return messageOf(wish, 'request', tag, [
    written(REQUESTED_ADDRESS, address),
    written(SERVER_IDENTIFIER, server),
    ...wishEntries(wish),
  ]);
}

/** INIT-REBOOT: whoever knows about this address may say so. */
export function requestAgain(wish: Wish4, tag: Tag, address: string): Message4 {
  return messageOf(wish, 'request', tag, [written(REQUESTED_ADDRESS, address), ...wishEntries(wish)]);
}

/** RENEWING and REBINDING: the server answers to the address, whatever the interface takes without one. */
export function requestMore(wish: Wish4, tag: Tag, lease: Lease4): Message4 {
  const head = { ciaddr: hostOf(lease), broadcast: false };
  return messageOf(wish, 'request', tag, wishEntries(wish), head);
}

/** Somebody else has the address. */
export function decline(wish: Wish4, xid: number, lease: Lease4): Message4 {
  return messageOf(
    wish,
    'decline',
    { xid, secs: 0 },
    [
      written(REQUESTED_ADDRESS, hostOf(lease)),
      written(SERVER_IDENTIFIER, lease.server),
      written(CLIENT_IDENTIFIER, wish.clientId),
    ],
    { broadcast: false },
  );
}

export function release(wish: Wish4, xid: number, lease: Lease4): Message4 {
  return messageOf(
    wish,
    'release',
    { xid, secs: 0 },
    [written(SERVER_IDENTIFIER, lease.server), written(CLIENT_IDENTIFIER, wish.clientId)],
    { ciaddr: hostOf(lease), broadcast: false },
  );
}
