/**
 * Forgetting UDP flows (linux/netfilter/nfnetlink_conntrack.h). Connection tracking decides about translation once for
 * each flow, and a UDP flow lasts as long as somebody keeps sending: without this, a client's packets would go on to
 * where they went before the port was published, or to a container that is gone.
 */
import { formatAddress, sameAddress } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { listAddresses } from './address.ts';
import { DecodeError } from './attributes.ts';
import { bytes, encode, nest, struct, u16be, u32, u8 } from './codec.ts';
import type { Decoded } from './codec.ts';
import { familyNumber, ipAddress } from './ip-field.ts';
import { NetlinkSocket } from './socket.ts';
import type { NetlinkMessage } from './socket.ts';
import {
  CTA_FILTER,
  CTA_FILTER_ORIG_FLAGS,
  CTA_ID,
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_NUM,
  CTA_TUPLE_IP,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  CTA_TUPLE_REPLY,
  CTA_ZONE,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPPROTO_UDP,
  NFNL_SUBSYS_CTNETLINK,
} from './uapi.ts';

const GET = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
const DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
const NFGENMSG_LENGTH = 4;

/** Who sends to whom. */
const tuple = struct({
  ip: nest(
    CTA_TUPLE_IP,
    struct({
      v4Source: ipAddress(CTA_IP_V4_SRC),
      v4Destination: ipAddress(CTA_IP_V4_DST),
      v6Source: ipAddress(CTA_IP_V6_SRC),
      v6Destination: ipAddress(CTA_IP_V6_DST),
    }),
  ),
  proto: nest(CTA_TUPLE_PROTO, struct({ number: u8(CTA_PROTO_NUM), port: u16be(CTA_PROTO_DST_PORT) })),
});

const flowAttributes = struct({
  original: nest(CTA_TUPLE_ORIG, tuple),
  reply: nest(CTA_TUPLE_REPLY, tuple),
  zone: bytes(CTA_ZONE),
  id: bytes(CTA_ID),
  filter: nest(CTA_FILTER, struct({ original: u32(CTA_FILTER_ORIG_FLAGS) })),
});
type FlowAttributes = Decoded<typeof flowAttributes>;

/**
 * net/netfilter/nf_conntrack_netlink.c CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT: what of the tuple a dump must match.
 */
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_DST_PORT = 1 << 5;

/** A published range of UDP ports; a lib/nftables PortForward is one. Without `hostIp` on every address of the host. */
export interface UdpMapping {
  readonly hostIp?: Address;
  readonly hostPort: number;
  readonly count: number;
  readonly container: Address;
}

interface Flow {
  readonly destination: Address;
  readonly port: number;
  /** Where the answers come from: the destination after translation. */
  readonly answerer: Address;
  /** The attributes that name the flow to the kernel. */
  readonly name: FlowAttributes;
}

/** A message of conntrack's: struct nfgenmsg and attributes. */
function encodeFlow(family: Family, attributes: FlowAttributes): Uint8Array[] {
  return [Buffer.from([familyNumber(family), 0, 0, 0]), encode(flowAttributes, attributes)];
}

/** A dump of UDP flows, of one destination port if so wanted. Kernels before 5.8 ignore the filter and list all. */
function dumpRequest(family: Family, port: number | undefined): Uint8Array[] {
  const proto = { number: IPPROTO_UDP, ...(port !== undefined && { port }) };
  const original = FILTER_PROTO_NUM | (port === undefined ? 0 : FILTER_PROTO_DST_PORT);
  return encodeFlow(family, { original: { proto }, filter: { original } });
}

/** The flow a message tells of; undefined when it is not UDP. Throws DecodeError. */
export function flowIn({ data }: Pick<NetlinkMessage, 'data'>): Flow | undefined {
  if (data.length < NFGENMSG_LENGTH) throw new DecodeError('an nfnetlink message without its header');
  const { original, reply, zone, id } = flowAttributes.get(data.subarray(NFGENMSG_LENGTH));
  const destination = original?.ip?.v4Destination ?? original?.ip?.v6Destination;
  const answerer = reply?.ip?.v4Source ?? reply?.ip?.v6Source;
  const port = original?.proto?.port;
  if (original?.proto?.number !== IPPROTO_UDP || port === undefined || !destination || !answerer)
    return undefined;
  // The identity as well: another flow may have taken the tuple since.
  const name = { original, ...(zone && { zone }), ...(id && { id }) };
  return { destination, port, answerer, name };
}

/** Whether an address is one of this thread's network namespace; they are looked up when first asked for. */
function ownAddresses(): (address: Address) => boolean {
  let own: Set<string> | undefined;
  return (address) => {
    own ??= addressTexts();
    const loopback = address.family === 4 && address.value >> 24n === 127n;
    return loopback || own.has(formatAddress(address));
  };
}

function addressTexts(): Set<string> {
  const route = NetlinkSocket.open('route');
  try {
    return new Set(listAddresses(route, 0).map(({ prefix }) => formatAddress(prefix.address)));
  } finally {
    route.close();
  }
}

/**
 * What was sent to that port elsewhere is not the mapping's: a published port 53 must not cost others their questions
 * to name servers.
 */
function concerns(mapping: UdpMapping, flow: Flow, isOwn: (address: Address) => boolean): boolean {
  const { hostIp, hostPort, count, container } = mapping;
  if (flow.destination.family !== container.family) return false;
  if (flow.port < hostPort || flow.port >= hostPort + count) return false;
  if (hostIp !== undefined && hostIp.value !== 0n) return sameAddress(flow.destination, hostIp);
  return sameAddress(flow.answerer, container) || isOwn(flow.destination);
}

/**
 * Makes the kernel forget the UDP flows to published ports, so that their next packet is looked at anew; how many it
 * forgot. One dump for each family, whatever the number of ports. Throws SystemError.
 */
export function flushUdp(nf: NetlinkSocket, mappings: readonly UdpMapping[]): number {
  const isOwn = ownAddresses();
  let forgotten = 0;
  for (const [family, group] of Map.groupBy(mappings, ({ container }) => container.family)) {
    const [first] = group;
    const port = group.length === 1 && first?.count === 1 ? first.hostPort : undefined;
    const found = nf.dump({ type: GET, data: dumpRequest(family, port), op: 'list UDP flows' });
    const flows = found
      .flatMap((message) => flowIn(message) ?? [])
      .filter((flow) => group.some((mapping) => concerns(mapping, flow, isOwn)));
    forgotten += forget(nf, family, flows);
  }
  return forgotten;
}

function forget(nf: NetlinkSocket, family: Family, flows: readonly Flow[]): number {
  const requests = flows.map(({ name }) => ({
    type: DELETE,
    data: encodeFlow(family, name),
    op: 'forget a UDP flow',
  }));
  const { failures } = nf.exchange(requests);
  const failure = failures.find(({ error }) => error.code !== 'ENOENT');
  if (failure) throw failure.error;
  return flows.length - failures.length;
}
