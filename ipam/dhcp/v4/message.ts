/** DHCP messages (RFC 2131, section 2), both ways and for either side. */
import { formatMac, macBytes } from '../../../lib/base/mac.ts';
import { DecodeError } from '../decode-error.ts';
import { ipv4Bytes, ipv4Text } from '../frame/ipv4.ts';
import { messageType, messageTypeNumber } from './message-type.ts';
import type { MessageType } from './message-type.ts';
import { END, fillAreas, joined, readArea } from './options/area.ts';
import type { Options } from './options/known.ts';

/** What an IPv4 packet of 1500 bytes has room for; longer ones nobody sends, and none are read. */
export const MESSAGE_LIMIT = 1472;
/** RFC 951, RFC 1542 (section 2.1): shorter ones are lost in old relays. */
const MESSAGE_MINIMUM = 300;
const [SNAME, FILE, COOKIE, OPTIONS] = [44, 108, 236, 240];
const MAGIC = 0x63825363;
const ETHERNET = 1;
const MAC_BYTES = 6;
const BROADCAST = 0x8000;
const [OVERLOAD, MESSAGE_TYPE] = [52, 53];
const [IN_FILE, IN_SNAME] = [1, 2];
/** What the overload option itself takes. */
const OVERLOAD_BYTES = 3;

const NOWHERE = '0.0.0.0';

export interface Message4 {
  /** 'request' from clients, 'reply' from servers. */
  readonly op: 'request' | 'reply';
  /** Option 53. */
  readonly type: MessageType;
  readonly hops: number;
  /** 32 bits. */
  readonly xid: number;
  /** Since the client began. */
  readonly secs: number;
  /** The client cannot take unicast before it has an address. */
  readonly broadcast: boolean;
  /** Dotted decimal, 0.0.0.0 for none. */
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  /** The client's Ethernet address. */
  readonly chaddr: string;
  /** Text, where no options are in the field; "" for none. */
  readonly sname: string;
  readonly file: string;
  /** All but 52 and 53, which are about the message. */
  readonly options: Options;
}

/** What a message says that says nothing. */
export const EMPTY_MESSAGE = {
  hops: 0,
  secs: 0,
  broadcast: false,
  ciaddr: NOWHERE,
  yiaddr: NOWHERE,
  siaddr: NOWHERE,
  giaddr: NOWHERE,
  sname: '',
  file: '',
} as const;

function overloadOf(parts: ReadonlyMap<number, readonly Buffer[]>): number {
  const [value = Buffer.from([0]), ...more] = parts.get(OVERLOAD) ?? [];
  if (value.length !== 1 || more.length > 0 || value.readUInt8(0) > (IN_FILE | IN_SNAME))
    throw new DecodeError(`an overload of ${value.toString('hex')}`);
  return value.readUInt8(0);
}

/** Ends with NUL; where there is none, the last byte has its place. */
function fieldText(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end < 0 ? field.length - 1 : end);
}

function writeText(head: Buffer, text: string, from: number, to: number): void {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length >= to - from)
    throw new RangeError(`${bytes.length} characters in a field of ${to - from}`);
  bytes.copy(head, from);
}

function typeOf(options: Options): MessageType {
  const value = options.get(MESSAGE_TYPE);
  const type = value?.length === 1 ? messageType(value.readUInt8(0)) : undefined;
  if (type === undefined) throw new DecodeError(`a message of type ${value?.toString('hex')}`);
  return type;
}

function readFields(bytes: Buffer): Pick<Message4, 'sname' | 'file' | 'type' | 'options'> {
  const parts = new Map<number, Buffer[]>();
  const [sname, file] = [bytes.subarray(SNAME, FILE), bytes.subarray(FILE, COOKIE)];
  readArea(bytes.subarray(OPTIONS), parts);
  const overload = overloadOf(parts);
  if ((overload & IN_FILE) !== 0) readArea(file, parts);
  if ((overload & IN_SNAME) !== 0) readArea(sname, parts);
  const options = joined(parts);
  const type = typeOf(options);
  options.delete(OVERLOAD);
  options.delete(MESSAGE_TYPE);
  return {
    sname: (overload & IN_SNAME) === 0 ? fieldText(sname) : '',
    file: (overload & IN_FILE) === 0 ? fieldText(file) : '',
    type,
    options,
  };
}

function checkHead(bytes: Buffer): void {
  if (bytes.length < OPTIONS || bytes.length > MESSAGE_LIMIT)
    throw new DecodeError(`a message of ${bytes.length} bytes`);
  const [op, hardware, length] = [bytes.readUInt8(0), bytes.readUInt8(1), bytes.readUInt8(2)];
  if (op !== 1 && op !== 2) throw new DecodeError(`a message with op ${op}`);
  if (hardware !== ETHERNET || length !== MAC_BYTES)
    throw new DecodeError(`a client on hardware ${hardware} with an address of ${length} bytes`);
  if (bytes.readUInt32BE(COOKIE) !== MAGIC) throw new DecodeError('a message without the magic cookie');
}

/**
 * Throws DecodeError for what is cut off, too long, no DHCP or not of Ethernet. The values of the options stay as they
 * are: options/known.ts reads them.
 */
export function decodeMessage(bytes: Buffer): Message4 {
  checkHead(bytes);
  return {
    op: bytes.readUInt8(0) === 1 ? 'request' : 'reply',
    hops: bytes.readUInt8(3),
    xid: bytes.readUInt32BE(4),
    secs: bytes.readUInt16BE(8),
    broadcast: (bytes.readUInt16BE(10) & BROADCAST) !== 0,
    ciaddr: ipv4Text(bytes.subarray(12)),
    yiaddr: ipv4Text(bytes.subarray(16)),
    siaddr: ipv4Text(bytes.subarray(20)),
    giaddr: ipv4Text(bytes.subarray(24)),
    chaddr: formatMac(bytes.subarray(28, 28 + MAC_BYTES)),
    ...readFields(bytes),
  };
}

function writeHead(message: Message4): Buffer {
  const head = Buffer.alloc(OPTIONS);
  head.writeUInt8(message.op === 'request' ? 1 : 2, 0);
  head.writeUInt8(ETHERNET, 1);
  head.writeUInt8(MAC_BYTES, 2);
  head.writeUInt8(message.hops, 3);
  head.writeUInt32BE(message.xid, 4);
  head.writeUInt16BE(Math.min(message.secs, 0xffff), 8);
  head.writeUInt16BE(message.broadcast ? BROADCAST : 0, 10);
  const { ciaddr, yiaddr, siaddr, giaddr } = message;
  for (const [index, address] of [ciaddr, yiaddr, siaddr, giaddr].entries())
    ipv4Bytes(address).copy(head, 12 + index * 4);
  macBytes(message.chaddr).copy(head, 28);
  writeText(head, message.sname, SNAME, FILE);
  writeText(head, message.file, FILE, COOKIE);
  head.writeUInt32BE(MAGIC, COOKIE);
  return head;
}

/** Free fields for options, behind the options field: what they say in the option 52, where they are, and how long. */
function spareFields({ sname, file }: Message4): { flag: number; at: number; size: number }[] {
  return [
    ...(file === '' ? [{ flag: IN_FILE, at: FILE, size: COOKIE - FILE - 1 }] : []),
    ...(sname === '' ? [{ flag: IN_SNAME, at: SNAME, size: FILE - SNAME - 1 }] : []),
  ];
}

/** The options field without END; what it has no room for goes into the free fields of the head. */
function writeOptions(message: Message4, head: Buffer, limit: number): Buffer {
  const type = Buffer.from([messageTypeNumber(message.type)]);
  const options = new Map([[MESSAGE_TYPE, type], ...message.options]);
  const room = limit - OPTIONS - 1;
  const size = [...options.values()].reduce(
    (sum, { length }) => sum + length + 2 * Math.ceil((length || 1) / 255),
    0,
  );
  if (size <= room) return Buffer.concat(fillAreas(options, [room]));
  const spare = spareFields(message);
  const [main = Buffer.alloc(0), ...others] = fillAreas(options, [
    room - OVERLOAD_BYTES,
    ...spare.map((field) => field.size),
  ]);
  let overload = 0;
  for (const [index, area] of others.entries()) {
    const { flag = 0, at = 0 } = spare[index] ?? {};
    overload |= flag;
    Buffer.concat([area, Buffer.from([END])]).copy(head, at);
  }
  return Buffer.concat([main, Buffer.from([OVERLOAD, 1, overload])]);
}

/**
 * At least 300 bytes and at most `limit`, which a client's option 57 may lower. Throws RangeError when texts or options
 * need more, AddressError for an address that is none.
 */
export function encodeMessage(message: Message4, limit: number = MESSAGE_LIMIT): Buffer {
  const head = writeHead(message);
  const options = writeOptions(message, head, limit);
  const padding = Math.max(0, MESSAGE_MINIMUM - OPTIONS - options.length - 1);
  return Buffer.concat([head, options, Buffer.from([END]), Buffer.alloc(padding)]);
}
