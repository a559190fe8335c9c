/** From a client's message to what it asks, and from what it is answered to the server's message (RFC 2131, 2132). */
import { formatAddress, lastAddress, networkOf, parsePrefix, withoutLength } from '../../../lib/base/ip.ts';
import { isHostName } from '../../../lib/base/domain-name.ts';
import type { LeasedDns, LeasedRoute } from '../lease.ts';
import { EMPTY_MESSAGE, MESSAGE_LIMIT } from '../v4/message.ts';
import type { Message4 } from '../v4/message.ts';
import {
  BROADCAST_ADDRESS,
  CLASSLESS_ROUTES,
  CLIENT_IDENTIFIER,
  DOMAIN_NAME,
  DOMAIN_NAME_SERVERS,
  DOMAIN_SEARCH,
  HOST_NAME,
  INTERFACE_MTU,
  LEASE_TIME,
  MAX_MESSAGE_SIZE,
  MESSAGE,
  PARAMETER_REQUEST_LIST,
  RAPID_COMMIT,
  REBINDING_TIME,
  RENEWAL_TIME,
  REQUESTED_ADDRESS,
  ROUTERS,
  SERVER_IDENTIFIER,
  SUBNET_MASK,
  soundOption,
  written,
} from '../v4/options/known.ts';
import type { Answer, Query } from './query.ts';

const NOWHERE = '0.0.0.0';
/** IPv4 and UDP headers: option 57 counts them (RFC 2132, section 9.10), and nobody may ask for less than 576. */
const HEADERS = 28;
const LEAST_SIZE = 576;

const ASKED: Readonly<Record<string, Query['is']>> = {
  discover: 'discover',
  request: 'request',
  decline: 'decline',
  release: 'release',
  inform: 'inform',
};

function present(address: string): string | undefined {
  return address === NOWHERE ? undefined : address;
}

/** Only what can be written anywhere. */
function hostname(told: string | undefined): string | undefined {
  return told !== undefined && isHostName(told.split('.')) ? told.toLowerCase() : undefined;
}

function compact<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

/** A group's address, or none at all: no client has it, and nobody could answer. */
function isClientMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}

/** Undefined for what is no client's question. An option that makes no sense counts as absent. */
export function queryOf(message: Message4): Query | undefined {
  const is = ASKED[message.type];
  if (message.op !== 'request' || is === undefined || !isClientMac(message.chaddr)) return undefined;
  const { options } = message;
  return compact<Query>({
    is,
    xid: message.xid,
    mac: message.chaddr,
    clientId: soundOption(options, CLIENT_IDENTIFIER),
    ciaddr: present(message.ciaddr),
    requested: present(soundOption(options, REQUESTED_ADDRESS) ?? NOWHERE),
    server: soundOption(options, SERVER_IDENTIFIER),
    broadcast: message.broadcast,
    wants: soundOption(options, PARAMETER_REQUEST_LIST),
    hostname: hostname(soundOption(options, HOST_NAME)),
    rapid: soundOption(options, RAPID_COMMIT) === true,
    relayed: message.giaddr !== NOWHERE,
    limit: limitOf(soundOption(options, MAX_MESSAGE_SIZE)),
  });
}

function limitOf(size: number | undefined): number | undefined {
  if (size === undefined) return undefined;
  return Math.min(Math.max(size, LEAST_SIZE) - HEADERS, MESSAGE_LIMIT);
}

/** What all clients of a network are told. */
export interface Settings {
  /** The server, with the length of the network's prefix. */
  readonly address: string;
  readonly router?: string;
  /** All IPv4 routes, that of `router` too, if clients need more than that (RFC 3442). */
  readonly routes: readonly LeasedRoute[];
  readonly dns: LeasedDns;
  readonly mtu?: number;
}

type Written = readonly [number, Buffer];

function mask(length: number): string {
  return formatAddress({ family: 4, value: (0xffffffffn << BigInt(32 - length)) & 0xffffffffn });
}

/** In the order in which a message that has no room for all should lose the last. */
function settingsOptions({ address, router, routes, dns, mtu }: Settings): Written[] {
  const prefix = parsePrefix(address);
  const { nameservers, domain, search } = dns;
  const servers = nameservers.filter((server) => !server.includes(':'));
  return [
    written(SUBNET_MASK, mask(prefix.length)),
    ...(routes.length > 0 ? [written(CLASSLESS_ROUTES, routes)] : []),
    ...(router === undefined ? [] : [written(ROUTERS, [router])]),
    ...(servers.length > 0 ? [written(DOMAIN_NAME_SERVERS, servers)] : []),
    ...(domain === undefined ? [] : [written(DOMAIN_NAME, domain)]),
    ...(search.length > 0 ? [written(DOMAIN_SEARCH, search)] : []),
    ...(mtu === undefined ? [] : [written(INTERFACE_MTU, mtu)]),
    written(BROADCAST_ADDRESS, formatAddress(lastAddress(networkOf(prefix)))),
  ];
}

/** What the client asks for; the mask it needs in any case. One that asks for nothing is told all. */
function wanted(options: readonly Written[], wants: readonly number[] | undefined): Written[] {
  return options.filter(([code]) => wants === undefined || code === SUBNET_MASK.code || wants.includes(code));
}

function leaseOptions({ granted, rapid, text }: Answer): Written[] {
  return [
    ...(granted === undefined
      ? []
      : [
          written(LEASE_TIME, granted.seconds),
          written(RENEWAL_TIME, granted.renewAfter),
          written(REBINDING_TIME, granted.rebindAfter),
        ]),
    ...(rapid === undefined ? [] : [written(RAPID_COMMIT, true as const)]),
    ...(text === undefined ? [] : [written(MESSAGE, text)]),
  ];
}

/** RFC 2131, table 3; the client identifier is told back (RFC 6842). */
export function messageOf(query: Query, answer: Answer, settings: Settings): Message4 {
  const server = withoutLength(settings.address);
  const { is, address = NOWHERE } = answer;
  const told = is === 'nak' ? [] : wanted(settingsOptions(settings), query.wants);
  return {
    ...EMPTY_MESSAGE,
    op: 'reply',
    type: is,
    xid: query.xid,
    broadcast: is === 'nak' || query.broadcast,
    ciaddr: is === 'ack' ? (query.ciaddr ?? NOWHERE) : NOWHERE,
    yiaddr: address,
    chaddr: query.mac,
    options: new Map([
      written(SERVER_IDENTIFIER, server),
      ...leaseOptions(answer),
      ...(query.clientId === undefined ? [] : [written(CLIENT_IDENTIFIER, query.clientId)]),
      ...told,
    ]),
  };
}

/** Where an answer goes on the client's link, RFC 2131, section 4.1; `mac` undefined: to all. */
export function destinationOf(query: Query, answer: Answer): { address: string; mac?: string } {
  const everybody = { address: '255.255.255.255' };
  if (answer.is === 'nak') return everybody;
  if (query.ciaddr !== undefined) return { address: query.ciaddr, mac: query.mac };
  if (query.broadcast || answer.address === undefined) return everybody;
  return { address: answer.address, mac: query.mac };
}
