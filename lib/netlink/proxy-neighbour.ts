/**
 * Addresses that the host answers for on a link without having them (`ip neighbour show proxy`; linux/neighbour.h
 * struct ndmsg, NTF_PROXY).
 *
 * IPv6 (net/ipv6/ndisc.c ndisc_recv_ns): solicitations are answered where the interface forwards and
 * net.ipv6.conf.{IFACE,all}.proxy_ndp is on. IPv4 (net/ipv4/arp.c arp_process): requests are answered where the
 * interface forwards and the address is routed through another one; no sysctl. The kernel drops the entries of an
 * interface that goes down.
 */
import { isErrno } from '../base/errors.ts';
import type { Address } from '../base/ip.ts';
import { encode } from './codec.ts';
import { fdbMessage } from './fdb.ts';
import { familyNumber } from './ip-field.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  NTF_PROXY,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './uapi.ts';

export interface ProxyNeighbour {
  /** ifindex of the link on which it is answered for. */
  readonly index: number;
  readonly address: Address;
  /** Who made it (NDA_PROTOCOL, Linux 5.0); 0 when nobody said. */
  readonly protocol: number;
}

function message({ index, address, protocol }: ProxyNeighbour): Buffer {
  // Permanent: it outlives the loss of the carrier.
  const header = {
    family: familyNumber(address.family),
    index,
    state: NUD_PERMANENT,
    flags: NTF_PROXY,
    type: 0,
  };
  return encode(fdbMessage, {
    ...header,
    attributes: { destination: address, ...(protocol !== 0 && { protocol }) },
  });
}

/** Adds an entry. One that is there is no error (neigh_add): it gets the new `protocol`, so look first whose it is. */
export function proxyAddition(entry: ProxyNeighbour, op: string): NetlinkRequest {
  return { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_EXCL, data: message(entry), op };
}

/** Removes an entry, whoever made it; ENOENT when there is none. */
export function proxyRemoval(
  { index, address }: Omit<ProxyNeighbour, 'protocol'>,
  op: string,
): NetlinkRequest {
  return { type: RTM_DELNEIGH, data: message({ index, address, protocol: 0 }), op };
}

/** Reads RTM_NEWNEIGH and RTM_DELNEIGH; undefined for what is no proxy entry. Throws DecodeError. */
export function decodeProxy({ data }: Pick<NetlinkMessage, 'data'>): ProxyNeighbour | undefined {
  const { flags, index, attributes } = fdbMessage.get(data);
  const { destination, protocol = 0 } = attributes;
  if ((flags & NTF_PROXY) === 0 || destination === undefined) return undefined;
  return { index, address: destination, protocol };
}

/** The entries of one interface, or of all (index 0), in both families; of one that is gone, none. */
export function listProxies(socket: NetlinkSocket, index = 0): ProxyNeighbour[] {
  const header = { family: 0, index: 0, state: 0, flags: NTF_PROXY, type: 0 };
  const data = encode(fdbMessage, { ...header, attributes: index === 0 ? {} : { ifindex: index } });
  try {
    const entries = socket.dump({ type: RTM_GETNEIGH, data, op: 'list proxy neighbours' });
    return entries.flatMap((entry) => decodeProxy(entry) ?? []);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
