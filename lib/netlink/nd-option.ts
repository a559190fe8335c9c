/**
 * What a router advertises for programs rather than the kernel (RTNLGRP_ND_USEROPT; linux/rtnetlink.h struct
 * nduseroptmsg): resolvers and search domains (RFC 8106). Any station on the LAN may have written it.
 */
import { isHostName } from '../base/domain-name.ts';
import { addressFromBytes } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { DecodeError } from './attributes.ts';
import { struct } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import { AF_INET6, NDUSEROPT_SRCADDR } from './uapi.ts';

/** struct nduseroptmsg, and where in it. */
const NDUSEROPTMSG = 16;
const OPTS_LEN = 2;
const IFINDEX = 4;
const ICMP_TYPE = 8;
/** RFC 4861 4.2 */
const ROUTER_ADVERTISEMENT = 134;
/** RFC 8106 5.1, 5.2 */
const RDNSS = 25;
const DNSSL = 31;
/** Type, length, two reserved bytes and the lifetime; in an option's own units one of eight bytes. */
const HEAD = 8;
const UNIT = 8;
/** RFC 1035 2.3.4 */
const LABEL_LIMIT = 63;

export interface NdOption {
  /** ifindex it came in by; link-local servers are to be reached there. */
  readonly index: number;
  /** The router. */
  readonly from?: Address;
  /** Resolvers, at most 127; `lifetime` in seconds from now, 0 for "no longer", 0xffffffff for ever. */
  readonly rdnss?: { readonly lifetime: number; readonly servers: readonly Address[] };
  /** Search domains, without a dot at the end, such as are names of hosts, at most 677. */
  readonly dnssl?: { readonly lifetime: number; readonly domains: readonly string[] };
}

const attributes = struct({ from: ipAddress(NDUSEROPT_SRCADDR) });

function rdnssOf(option: Buffer): NonNullable<NdOption['rdnss']> {
  const addresses = option.subarray(HEAD);
  if (addresses.length === 0 || addresses.length % 16 !== 0)
    throw new DecodeError(`an RDNSS option has ${option.length} bytes`);
  const servers = Array.from({ length: addresses.length / 16 }, (_, number) =>
    addressFromBytes(addresses.subarray(number * 16, number * 16 + 16)),
  );
  return { lifetime: option.readUInt32BE(4), servers };
}

/** The labels of the name at `at`, and where the next one begins (RFC 1035 3.1; no compression: RFC 8106 5.2). */
function nameAt(data: Buffer, at: number): { labels: string[]; next: number } {
  const labels: string[] = [];
  for (let from = at; from < data.length; ) {
    const length = data.readUInt8(from);
    const next = from + 1 + length;
    if (length === 0) return { labels, next };
    if (length > LABEL_LIMIT) throw new DecodeError(`a label of ${length} bytes`);
    labels.push(data.toString('latin1', from + 1, next));
    from = next;
  }
  throw new DecodeError('a domain without end');
}

function dnsslOf(option: Buffer): NonNullable<NdOption['dnssl']> {
  const domains: string[] = [];
  // Zeros fill it up: names without labels.
  for (let at = HEAD; at < option.length; ) {
    const { labels, next } = nameAt(option, at);
    if (isHostName(labels)) domains.push(labels.join('.'));
    at = next;
  }
  return { lifetime: option.readUInt32BE(4), domains };
}

/** Options by their types, of each type the first (RFC 4861 4.6: type, length in units of eight bytes). */
function optionsIn(data: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < data.length; ) {
    const units = at + 1 < data.length ? data.readUInt8(at + 1) : 0;
    const option = data.subarray(at, at + units * UNIT);
    if (units === 0 || option.length < units * UNIT)
      throw new DecodeError(`an option of ${units} units in ${data.length - at} bytes`);
    const type = data.readUInt8(at);
    if (!options.has(type)) options.set(type, option);
    at += units * UNIT;
  }
  return options;
}

/**
 * Reads RTM_NEWNDUSEROPT; of options other than those two (kernels tell of prefixes as well), only whence they come.
 * The kernel tells of each option in a message of its own (ndisc_ra_useropt). Throws DecodeError, for what is cut off
 * or without end; domains that are no names of hosts are left out.
 */
export function decodeNdOption({ data }: { readonly data: Buffer }): NdOption {
  if (data.length < NDUSEROPTMSG) throw new DecodeError(`a message of an option has ${data.length} bytes`);
  const [family, type] = [data.readUInt8(0), data.readUInt8(ICMP_TYPE)];
  if (family !== AF_INET6 || type !== ROUTER_ADVERTISEMENT)
    throw new DecodeError(`an option of the address family ${family}, ICMP type ${type}`);
  const end = NDUSEROPTMSG + data.readUInt16LE(OPTS_LEN);
  if (end > data.length) throw new DecodeError(`options end at ${end} of ${data.length} bytes`);
  const options = optionsIn(data.subarray(NDUSEROPTMSG, end));
  const { from } = attributes.get(data.subarray(end));
  const [rdnss, dnssl] = [options.get(RDNSS), options.get(DNSSL)];
  return {
    index: data.readUInt32LE(IFINDEX),
    ...(from && { from }),
    ...(rdnss && { rdnss: rdnssOf(rdnss) }),
    ...(dnssl && { dnssl: dnsslOf(dnssl) }),
  };
}
