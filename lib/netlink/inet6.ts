/**
 * What IPv6 knows of a link, and how it makes addresses there (linux/if_link.h IFLA_AF_SPEC, IFLA_INET6_*; RFC 4862,
 * RFC 7217; tokens: ip-token(8)).
 */
import type { Address } from '../base/ip.ts';
import { encode, plainNest, struct, u32, u8 } from './codec.ts';
import type { Decoded } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import { encodeLink, linkMessage } from './link-codec.ts';
import { askForLink } from './link.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET6,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INET6_FLAGS,
  IFLA_INET6_RA_MTU,
  IFLA_INET6_TOKEN,
  IN6_ADDR_GEN_MODE_EUI64,
  IN6_ADDR_GEN_MODE_NONE,
  IN6_ADDR_GEN_MODE_RANDOM,
  IN6_ADDR_GEN_MODE_STABLE_PRIVACY,
  RTM_NEWLINK,
} from './uapi.ts';

export { IF_RA_MANAGED, IF_RA_OTHERCONF, IF_RA_RCVD, IF_READY, IF_RS_SENT } from './uapi.ts';

/**
 * Where the lower half of an address comes from: the MAC address; nowhere, so that the kernel makes none, not even the
 * link-local one; a secret of the namespace or link (EINVAL when there is none); the same, of a secret made up for it.
 */
export type AddressGeneration = 'eui64' | 'none' | 'stable-privacy' | 'random';

const MODES: Readonly<Record<AddressGeneration, number>> = {
  eui64: IN6_ADDR_GEN_MODE_EUI64,
  none: IN6_ADDR_GEN_MODE_NONE,
  'stable-privacy': IN6_ADDR_GEN_MODE_STABLE_PRIVACY,
  random: IN6_ADDR_GEN_MODE_RANDOM,
};

/** In the order in which ip writes them. */
export const inet6Message = struct({
  flags: u32(IFLA_INET6_FLAGS),
  token: ipAddress(IFLA_INET6_TOKEN),
  mode: u8(IFLA_INET6_ADDR_GEN_MODE),
  raMtu: u32(IFLA_INET6_RA_MTU),
});
export type Inet6Message = Decoded<typeof inet6Message>;
/** IFLA_AF_SPEC. */
export const families = struct({ inet6: plainNest(AF_INET6, inet6Message) });

export interface Inet6 {
  /** IF_*: IF_READY, IF_RS_SENT and what the last router advertisement said (IF_RA_*). */
  readonly flags: number;
  /** What the last router advertisement said of the MTU (kernel 5.15); undefined when it said nothing. */
  readonly raMtu: number | undefined;
  /** undefined for one that only a later kernel has. */
  readonly addressGeneration: AddressGeneration | undefined;
  /** The lower half of its addresses (::17), in place of what is generated. */
  readonly token: Address | undefined;
}

/**
 * The request that changes how a link gets addresses. A token is refused (EINVAL) where router advertisements are not
 * accepted or routers not solicited, and on loopback; addresses of an earlier token go, and the new one's come with the
 * next advertisement, for which the kernel asks if the link is up (inet6_set_iftoken). Other addresses stay.
 */
export function inet6Change(
  index: number,
  change: { readonly addressGeneration?: AddressGeneration; readonly token?: Address },
  op: string,
): NetlinkRequest {
  const { addressGeneration, token } = change;
  const inet6 = {
    ...(addressGeneration !== undefined && { mode: MODES[addressGeneration] }),
    ...(token && { token }),
  };
  const data = encodeLink({ families: encode(families, { inet6 }) }, { index });
  return { type: RTM_NEWLINK, op, data };
}

/** Reads RTM_NEWLINK; undefined where IPv6 does not know the link (an MTU below 1280). Throws DecodeError. */
export function decodeInet6({ data }: { readonly data: Buffer }): Inet6 | undefined {
  const { families: told } = linkMessage.get(data).attributes;
  const inet6 = told && families.get(Buffer.from(told)).inet6;
  if (inet6 === undefined) return undefined;
  const { flags = 0, token, mode, raMtu } = inet6;
  const generations = Object.keys(MODES) as AddressGeneration[];
  return {
    flags,
    raMtu: raMtu || undefined,
    addressGeneration: generations.find((each) => MODES[each] === mode),
    token: token?.value ? token : undefined,
  };
}

/** Of the link of that name or ifindex in the socket's namespace; undefined when there is none. */
export function findInet6(socket: NetlinkSocket, which: string | number): Inet6 | undefined {
  const told = askForLink(socket, which);
  return told && decodeInet6(told);
}
