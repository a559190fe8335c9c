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
  IFA_F_OPTIMISTIC,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from './uapi.ts';

export {
  IFAPROT_KERNEL_LL,
  IFAPROT_KERNEL_RA,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_MANAGETEMPADDR,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
} from './uapi.ts';

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
  /**
   * Of IPv6. False: the caller vouches that nobody else has the address. "optimistic": it may be used while that is
   * found out (RFC 4429), where the sysctl optimistic_dad of the interface or of all allows that (otherwise the kernel
   * takes it for true).
   */
  readonly dad: boolean | 'optimistic';
  /** Whose the address is to be known as (IFA_PROTO; ignored by kernels before 5.18). */
  readonly protocol?: number;
}

function detectionFlags(dad: AdditionOptions['dad']): number {
  if (dad === 'optimistic') return IFA_F_OPTIMISTIC;
  return dad ? 0 : IFA_F_NODAD;
}

/** Adds an address; EEXIST when it is there. */
export function addressAddition(
  index: number,
  prefix: Prefix,
  options: AdditionOptions,
  op: string,
): NetlinkRequest {
  const flags = prefix.address.family === 6 ? detectionFlags(options.dad) : 0;
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
