/**
 * Messages between clients and servers of DHCPv6: the payload of a datagram (RFC 9915, section 8). Those between relays
 * and servers are shaped otherwise, and refused.
 */
import { DecodeError } from '../decode-error.ts';
import { Budget, informOften, informs, often, once, optionSet } from './option-set.ts';
import type { Values } from './option-set.ts';
import { clientFqdn } from './options/client-fqdn.ts';
import { dnsServers } from './options/dns-servers.ts';
import { domainList } from './options/domain-list.ts';
import { elapsedTime } from './options/elapsed-time.ts';
import { iaNa } from './options/ia-na.ts';
import { iaPd } from './options/ia-pd.ts';
import { clientId, serverId } from './options/identifiers.ts';
import { informationRefreshTime } from './options/information-refresh-time.ts';
import { infMaxRt, solMaxRt } from './options/max-rt.ts';
import { ntpServer } from './options/ntp-server.ts';
import { optionRequest } from './options/option-request.ts';
import { preference } from './options/preference.ts';
import { rapidCommit } from './options/rapid-commit.ts';
import { statusCode } from './options/status-code.ts';
import { userClass } from './options/user-class.ts';
import { vendorClass } from './options/vendor-class.ts';

/** Section 7.2 and where to send: ff02::1:2. */
export const CLIENT_PORT = 546;
export const SERVER_PORT = 547;
export const ALL_SERVERS = 'ff02::1:2';

/** Section 7.3. */
const TYPES = {
  SOLICIT: 1,
  ADVERTISE: 2,
  REQUEST: 3,
  CONFIRM: 4,
  RENEW: 5,
  REBIND: 6,
  REPLY: 7,
  RELEASE: 8,
  DECLINE: 9,
  RECONFIGURE: 10,
  'INFORMATION-REQUEST': 11,
} as const;

export type MessageType = keyof typeof TYPES;

const NAMES = new Map<number, MessageType>(
  Object.entries(TYPES).map(([name, number]) => [number, name as MessageType]),
);

const options = optionSet({
  clientId: once(clientId),
  serverId: once(serverId),
  iaNa: often(iaNa),
  optionRequest: once(optionRequest),
  preference: once(preference),
  elapsedTime: once(elapsedTime),
  status: once(statusCode),
  rapidCommit: once(rapidCommit),
  userClass: informs(userClass),
  vendorClasses: informOften(vendorClass),
  dnsServers: informs(dnsServers),
  domainList: informs(domainList),
  iaPd: often(iaPd),
  informationRefreshTime: informs(informationRefreshTime),
  clientFqdn: informs(clientFqdn),
  ntpServers: informOften(ntpServer),
  solMaxRt: informs(solMaxRt),
  infMaxRt: informs(infMaxRt),
});

export type Options6 = Values<typeof options>;

/** JSON. */
export interface Message6 {
  readonly type: MessageType;
  /** 24 bits. */
  readonly transaction: number;
  readonly options: Options6;
}

/** Far more than anybody sends; a datagram has room for 16,000. */
const MOST_OPTIONS = 1000;

const HEAD = 4;

export function encodeMessage6({ type, transaction, options: inside }: Message6): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUInt8(TYPES[type], 0);
  head.writeUIntBE(transaction, 1, 3);
  return Buffer.concat([head, options.put(inside)]);
}

/** Reads the payload of a datagram; throws DecodeError. */
export function decodeMessage6(data: Buffer): Message6 {
  if (data.length < HEAD) throw new DecodeError(`a message of ${data.length} bytes`);
  const number = data.readUInt8(0);
  const type = NAMES.get(number);
  if (type === undefined) throw new DecodeError(`a message of type ${number}`);
  return {
    type,
    transaction: data.readUIntBE(1, 3),
    options: options.get(data.subarray(HEAD), new Budget(MOST_OPTIONS)),
  };
}
