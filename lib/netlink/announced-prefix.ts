/**
 * Prefixes that a router announces, as the kernel tells of each (RTNLGRP_IPV6_PREFIX; linux/rtnetlink.h struct
 * prefixmsg; RFC 4861, section 4.6.2), whether or not an address is made of it. Any station on the LAN may have written
 * it.
 */
import { bitsOf } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import { DecodeError } from './attributes.ts';
import { struct } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import { PREFIX_ADDRESS } from './uapi.ts';

/** struct prefixmsg, and where in it. */
const PREFIXMSG = 12;
const IFINDEX = 4;
const LENGTH = 9;
const FLAGS = 10;
/**
 * The A flag: newer kernels tell the option's own byte (seen in 6.18), older ones IF_PREFIX_AUTOCONF (net/if_inet6.h).
 */
const AUTONOMOUS = 0x40 | 0x02;

export interface AnnouncedPrefix {
  /** ifindex it came in by. */
  readonly index: number;
  readonly prefix: Prefix;
  /** Hosts may make addresses of it (the A flag). */
  readonly autonomous: boolean;
}

const attributes = struct({ address: ipAddress(PREFIX_ADDRESS) });

/** Reads RTM_NEWPREFIX. Throws DecodeError. */
export function decodeAnnouncedPrefix({ data }: { readonly data: Buffer }): AnnouncedPrefix {
  if (data.length < PREFIXMSG) throw new DecodeError(`a message of a prefix has ${data.length} bytes`);
  const { address } = attributes.get(data.subarray(PREFIXMSG));
  if (address === undefined) throw new DecodeError('a message of a prefix without one');
  const length = data.readUInt8(LENGTH);
  if (length > bitsOf(address.family)) throw new DecodeError(`a prefix of ${length} bits`);
  return {
    index: data.readInt32LE(IFINDEX),
    prefix: { address, length },
    autonomous: (data.readUInt8(FLAGS) & AUTONOMOUS) !== 0,
  };
}
