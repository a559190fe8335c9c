/** Messages about interface addresses as bytes and back (rtnetlink(7), linux/if_addr.h struct ifaddrmsg). */
import { encode, headed, sized, struct, u32, u8 } from './codec.ts';
import type { Codec, Decoded } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import { IFA_ADDRESS, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS, IFA_LOCAL, IFA_PROTO } from './uapi.ts';

/** struct ifa_cacheinfo: the two lifetimes, and when the address was made and changed. */
const CACHEINFO = 16;

/** Seconds from now; FOREVER, and so for ever. */
export interface Lifetime {
  readonly preferred: number;
  readonly valid: number;
  /** Hundredths of a second since the machine started; 0 in what is sent to the kernel. */
  readonly created: number;
  readonly updated: number;
}

const lifetime: Codec<Lifetime> = {
  put(out, { preferred, valid, created, updated }) {
    for (const number of [preferred, valid, created, updated]) out.u32(number);
  },
  get(data) {
    const bytes = sized(data, CACHEINFO);
    return {
      preferred: bytes.readUInt32LE(0),
      valid: bytes.readUInt32LE(4),
      created: bytes.readUInt32LE(8),
      updated: bytes.readUInt32LE(12),
    };
  },
};

/** In the order in which ip writes them. */
const addressAttributes = struct({
  local: ipAddress(IFA_LOCAL),
  broadcast: ipAddress(IFA_BROADCAST),
  /** All of IFA_F_*, of which the header has room for eight. */
  flags: u32(IFA_FLAGS),
  /** The other end's, of a point-to-point link; otherwise the same as `local`. */
  address: ipAddress(IFA_ADDRESS),
  protocol: u8(IFA_PROTO),
  lifetime: { type: IFA_CACHEINFO, codec: lifetime },
});

/** What follows the netlink header of RTM_NEWADDR and its like; reading throws DecodeError. */
export const addressMessage = headed(
  'an address message',
  {
    /** AF_INET or AF_INET6; 0 in a request for both. */
    family: 1,
    /** Length of the prefix. */
    length: 1,
    flags: 1,
    scope: 1,
    /** ifindex */
    index: 4,
  },
  addressAttributes,
);
export type AddressMessage = Decoded<typeof addressMessage>;

export function encodeAddress(message: Partial<AddressMessage>): Buffer {
  return encode(addressMessage, {
    family: 0,
    length: 0,
    flags: 0,
    scope: 0,
    index: 0,
    attributes: {},
    ...message,
  });
}
