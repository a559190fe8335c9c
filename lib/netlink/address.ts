/** Interface addresses (rtnetlink(7), linux/if_addr.h). */
import { AttrStream, putU32 } from './structs.ts';
import { addressBytes, addressFromBytes, lastAddress } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import { Attributes, DecodeError } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
/** if_addr.h: no duplicate address detection; not yet verified; found to be a duplicate. */
export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_TENTATIVE = 0x40;
const AF_INET = 2;
const AF_INET6 = 10;
const IFADDRMSG = 8;

export interface InterfaceAddress {
  readonly index: number;
  readonly prefix: Prefix;
  readonly flags: number;
  /** rtnetlink scope: 0 global, 253 link, 254 host. */
  readonly scope: number;
  /** Who gave it (IFA_PROTO); 0 when nobody said. */
  readonly protocol: number;
}

function header(family: number, length: number, index: number): Buffer {
  const bytes = Buffer.alloc(IFADDRMSG);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt8(length, 1);
  bytes.writeUInt32LE(index, 4);
  return bytes;
}

function data(index: number, prefix: Prefix, flags: number, protocol = 0): Uint8Array[] {
  const stream = new AttrStream();
  const bytes = addressBytes(prefix.address);
  stream.push(IFA_LOCAL, bytes);
  stream.push(IFA_ADDRESS, bytes);
  const v4 = prefix.address.family === 4;
  if (v4 && prefix.length < 31) stream.push(IFA_BROADCAST, addressBytes(lastAddress(prefix)));
  if (flags !== 0) stream.push(IFA_FLAGS, putU32(flags));
  if (protocol !== 0) stream.push(IFA_PROTO, Buffer.from([protocol]));
  return [header(v4 ? AF_INET : AF_INET6, prefix.length, index), ...stream.bufs];
}

export interface AdditionOptions {
  /** False: the caller vouches that nobody else has the address (IPv6). */
  readonly dad: boolean;
  /** Whose the address is to be known as (IFA_PROTO; ignored by kernels before 5.18). */
  readonly protocol?: number;
}

/** Adds an address; EEXIST when it is there. */
export function addressAddition(
  index: number,
  prefix: Prefix,
  options: AdditionOptions,
  op: string,
): NetlinkRequest {
  const flags = prefix.address.family === 6 && !options.dad ? IFA_F_NODAD : 0;
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    data: data(index, prefix, flags, options.protocol),
    op,
  };
}

/** Removes an address; EADDRNOTAVAIL when it is not there. */
export function addressRemoval(index: number, prefix: Prefix, op: string): NetlinkRequest {
  return { type: RTM_DELADDR, data: data(index, prefix, 0), op };
}

function decodeAddress(message: NetlinkMessage): InterfaceAddress {
  if (message.data.length < IFADDRMSG)
    throw new DecodeError(`an address message has ${message.data.length} bytes`);
  const attributes = new Attributes(message.data.subarray(IFADDRMSG));
  const bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS);
  if (bytes === undefined) throw new DecodeError('an address message without an address');
  return {
    index: message.data.readUInt32LE(4),
    prefix: { address: addressFromBytes(bytes), length: message.data.readUInt8(1) },
    flags: attributes.u32(IFA_FLAGS) ?? message.data.readUInt8(2),
    scope: message.data.readUInt8(3),
    protocol: attributes.u8(IFA_PROTO) ?? 0,
  };
}

/** The addresses of one interface, or of all (index 0), in both families. */
export function listAddresses(socket: NetlinkSocket, index: number): InterfaceAddress[] {
  return socket
    .dump({ type: RTM_GETADDR, data: header(0, 0, index), op: 'list addresses' })
    .map(decodeAddress);
}
