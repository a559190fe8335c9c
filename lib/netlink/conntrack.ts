/**
 * Forgetting UDP flows (linux/netfilter/nfnetlink_conntrack.h). Connection tracking decides about translation once for each
 * flow, and a UDP flow lasts as long as somebody keeps sending: without this, a client's packets would go on to where they
 * went before the port was published, or to a container that is gone.
 */
import { formatAttribute } from './structs.ts';
import { addressFromBytes, formatAddress, sameAddress } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { listAddresses } from './address.ts';
import { Attributes } from './attributes.ts';
import { NetlinkSocket } from './socket.ts';
import type { NetlinkMessage } from './socket.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const NFGENMSG_LENGTH = 4;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_UDP = 17;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;

/** net/netfilter/nf_conntrack_netlink.c CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT: what of the tuple a dump must match. */
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
  readonly name: Uint8Array[];
}

function attribute(type: number, data: Uint8Array | Uint8Array[], nested = false): Uint8Array[] {
  const parts = formatAttribute({ type, nested, data });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return length % 4 === 0 ? parts : [...parts, Buffer.alloc(4 - (length % 4))];
}

function header(family: Family): Buffer {
  return Buffer.from([family === 4 ? AF_INET : AF_INET6, 0, 0, 0]);
}

/** A dump of UDP flows, of one destination port if so wanted. Kernels before 5.8 ignore the filter and list all. */
function dumpRequest(family: Family, port: number | undefined): Uint8Array[] {
  const proto = [...attribute(CTA_PROTO_NUM, Buffer.from([IPPROTO_UDP]))];
  let flags = FILTER_PROTO_NUM;
  if (port !== undefined) {
    proto.push(...attribute(CTA_PROTO_DST_PORT, Buffer.from([port >> 8, port & 0xff])));
    flags |= FILTER_PROTO_DST_PORT;
  }
  const tuple = attribute(CTA_TUPLE_ORIG, attribute(CTA_TUPLE_PROTO, proto, true), true);
  const filter = attribute(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, Buffer.from([flags, 0, 0, 0])), true);
  return [header(family), ...tuple, ...filter];
}

function addressIn(tuple: Attributes | undefined, v4: number, v6: number): Address | undefined {
  const ip = tuple?.nested(CTA_TUPLE_IP);
  const bytes = ip?.bytes(v4) ?? ip?.bytes(v6);
  return bytes?.length === 4 || bytes?.length === 16 ? addressFromBytes(bytes) : undefined;
}

/** The flow a message tells of; undefined when it is not UDP. */
function flowIn(message: NetlinkMessage): Flow | undefined {
  const attributes = new Attributes(message.data.subarray(NFGENMSG_LENGTH));
  const original = attributes.nested(CTA_TUPLE_ORIG);
  const proto = original?.nested(CTA_TUPLE_PROTO);
  const port = proto?.bytes(CTA_PROTO_DST_PORT);
  const destination = addressIn(original, CTA_IP_V4_DST, CTA_IP_V6_DST);
  const answerer = addressIn(attributes.nested(CTA_TUPLE_REPLY), CTA_IP_V4_SRC, CTA_IP_V6_SRC);
  const tuple = attributes.bytes(CTA_TUPLE_ORIG);
  if (proto?.u8(CTA_PROTO_NUM) !== IPPROTO_UDP || port?.length !== 2 || !destination || !answerer || !tuple)
    return undefined;
  const zone = attributes.bytes(CTA_ZONE);
  const id = attributes.bytes(CTA_ID);
  const name = [
    ...attribute(CTA_TUPLE_ORIG, tuple, true),
    ...(zone ? attribute(CTA_ZONE, zone) : []),
    // The identity as well: another flow may have taken the tuple since.
    ...(id ? attribute(CTA_ID, id) : []),
  ];
  return { destination, port: port.readUInt16BE(0), answerer, name };
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
 * What was sent to that port elsewhere is not the mapping's: a published port 53 must not cost others their questions to
 * name servers.
 */
function concerns(mapping: UdpMapping, flow: Flow, isOwn: (address: Address) => boolean): boolean {
  const { hostIp, hostPort, count, container } = mapping;
  if (flow.destination.family !== container.family) return false;
  if (flow.port < hostPort || flow.port >= hostPort + count) return false;
  if (hostIp !== undefined && hostIp.value !== 0n) return sameAddress(flow.destination, hostIp);
  return sameAddress(flow.answerer, container) || isOwn(flow.destination);
}

/**
 * Makes the kernel forget the UDP flows to published ports, so that their next packet is looked at anew; how many it forgot.
 * One dump for each family, whatever the number of ports. Throws SystemError.
 */
export function flushUdp(nf: NetlinkSocket, mappings: readonly UdpMapping[]): number {
  const isOwn = ownAddresses();
  let forgotten = 0;
  for (const [family, group] of Map.groupBy(mappings, ({ container }) => container.family)) {
    const [first] = group;
    const port = group.length === 1 && first?.count === 1 ? first.hostPort : undefined;
    const found = nf.dump({ type: IPCTNL_MSG_CT_GET, data: dumpRequest(family, port), op: 'list UDP flows' });
    const flows = found
      .flatMap((message) => flowIn(message) ?? [])
      .filter((flow) => group.some((mapping) => concerns(mapping, flow, isOwn)));
    forgotten += forget(nf, family, flows);
  }
  return forgotten;
}

function forget(nf: NetlinkSocket, family: Family, flows: readonly Flow[]): number {
  const requests = flows.map(({ name }) => ({
    type: IPCTNL_MSG_CT_DELETE,
    data: [header(family), ...name],
    op: 'forget a UDP flow',
  }));
  const { failures } = nf.exchange(requests);
  const failure = failures.find(({ error }) => error.code !== 'ENOENT');
  if (failure) throw failure.error;
  return flows.length - failures.length;
}
