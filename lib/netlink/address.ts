/** Interface addresses. */
import { isErrno } from '../base/errors.ts';
import { bitsOf, lastAddress } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import { addressMessage, encodeAddress } from './address-codec.ts';
import type { Lifetime } from './address-codec.ts';
import { DecodeError } from './attributes.ts';
import { familyNumber } from './ip-field.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET,
  AF_INET6,
  IFA_F_NODAD,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from './uapi.ts';

export { IFA_F_DADFAILED, IFA_F_NODAD, IFA_F_TENTATIVE } from './uapi.ts';

export interface InterfaceAddress {
  readonly index: number;
  readonly prefix: Prefix;
  /** IFA_F_* */
  readonly flags: number;
  /** rtnetlink scope: 0 global, 253 link, 254 host. */
  readonly scope: number;
  /** Who gave it (IFA_PROTO); 0 when nobody said. */
  readonly protocol: number;
  readonly lifetime?: Lifetime;
}

function message(index: number, prefix: Prefix, flags: number, protocol = 0): Buffer {
  const { address, length } = prefix;
  const broadcast = address.family === 4 && length < 31 && { broadcast: lastAddress(prefix) };
  return encodeAddress({
    family: familyNumber(address.family),
    length,
    flags,
    index,
    attributes: {
      local: address,
      address,
      ...broadcast,
      ...(protocol !== 0 && { protocol }),
    },
  });
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
    data: message(index, prefix, flags, options.protocol),
    op,
  };
}

/** Removes an address; EADDRNOTAVAIL when it is not there. */
export function addressRemoval(index: number, prefix: Prefix, op: string): NetlinkRequest {
  return { type: RTM_DELADDR, data: message(index, prefix, 0), op };
}

/** Reads RTM_NEWADDR and RTM_DELADDR; throws DecodeError. */
export function decodeAddress({ data }: Pick<NetlinkMessage, 'data'>): InterfaceAddress {
  const { index, length, flags, scope, attributes } = addressMessage.get(data);
  const { lifetime } = attributes;
  const address = attributes.local ?? attributes.address;
  if (address === undefined) throw new DecodeError('an address message without an address');
  if (length > bitsOf(address.family)) throw new DecodeError(`a prefix of ${length} bits`);
  return {
    index,
    prefix: { address, length },
    flags: attributes.flags ?? flags,
    scope,
    protocol: attributes.protocol ?? 0,
    ...(lifetime && { lifetime }),
  };
}

/** The addresses of one interface, or of all (index 0), in both families; of one that is gone, none. */
export function listAddresses(socket: NetlinkSocket, index: number): InterfaceAddress[] {
  return (
    dumpAddresses(socket, index)
      // Other families than the Internet's have addresses as well (Phonet).
      .filter(({ data }) => data[0] === AF_INET || data[0] === AF_INET6)
      .map(decodeAddress)
  );
}

function dumpAddresses(socket: NetlinkSocket, index: number): NetlinkMessage[] {
  try {
    return socket.dump({ type: RTM_GETADDR, data: encodeAddress({ index }), op: 'list addresses' });
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
