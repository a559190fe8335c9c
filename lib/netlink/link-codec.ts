/** Link messages as bytes and back (rtnetlink(7), linux/if_link.h, linux/rtnetlink.h struct ifinfomsg). */
import { bareText, bytes, encode, headed, listOf, nest, plainNest, struct, text, u32, u8 } from './codec.ts';
import type { Codec, Decoded, RawAttribute } from './codec.ts';
import { isMacvlan, macvlanData } from './macvlan-codec.ts';
import type { MacvlanData } from './macvlan-codec.ts';
import {
  AF_BRIDGE,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_ALT_IFNAME,
  IFLA_BRPORT_ISOLATED,
  IFLA_BRPORT_MODE,
  IFLA_EXT_MASK,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_LINK_NETNSID,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_OPERSTATE,
  IFLA_PROMISCUITY,
  IFLA_PROP_LIST,
  IFLA_PROTINFO,
  IFLA_TARGET_NETNSID,
  IFLA_TXQLEN,
  VETH_INFO_PEER,
} from './uapi.ts';

/** A port of a bridge (IFLA_BRPORT_*); 1 and 0 for on and off. */
const bridgePort = struct({ hairpin: u8(IFLA_BRPORT_MODE), isolated: u8(IFLA_BRPORT_ISOLATED) });
export type BridgePort = Decoded<typeof bridgePort>;

/** IFLA_LINKINFO: of which kind a link is, and what belongs to that kind. */
export interface LinkInfo {
  /** rtnl_link_ops kind: "bridge", "veth", … */
  readonly kind?: string;
  /** Of a veth: its other end, as it is to be made. */
  readonly peer?: LinkMessage;
  /** Of a macvlan or macvtap. */
  readonly macvlan?: MacvlanData;
  /** What belongs to any other kind, undecoded. */
  readonly data?: Uint8Array;
  /** The kind of its master. */
  readonly slaveKind?: string;
  /** Where that is a bridge. */
  readonly port?: BridgePort;
  /** What belongs to any other kind of master, undecoded. */
  readonly slaveData?: Uint8Array;
  readonly unknown?: readonly RawAttribute[];
}

export interface LinkAttributes {
  readonly name?: string;
  readonly mac?: Uint8Array;
  readonly mtu?: number;
  /** How many packets wait at most. */
  readonly txQueueLength?: number;
  /** ifindex of the link it stands on; of a veth its other end, in the namespace `netnsid`. */
  readonly link?: number;
  readonly netnsid?: number;
  readonly master?: number;
  readonly operstate?: number;
  readonly alias?: string;
  readonly group?: number;
  /** The namespace it is to be made in or moved to: an open file descriptor. */
  readonly netnsFd?: number;
  /** The namespace it is in, where that is not the socket's: its id there. */
  readonly targetNsid?: number;
  /** What an answer is to leave out or contain (RTEXT_FILTER_*). */
  readonly extMask?: number;
  readonly promiscuity?: number;
  /** In a message of the family AF_BRIDGE. */
  readonly port?: BridgePort;
  readonly info?: LinkInfo;
  /** Alternative names (alt-name.ts). */
  readonly altNames?: readonly string[];
  /** What belongs to address families (inet6.ts), undecoded: few ask for it. */
  readonly families?: Uint8Array;
}

export interface LinkMessage {
  /** AF_UNSPEC (0) or AF_BRIDGE. */
  readonly family: number;
  /** ARPHRD_* */
  readonly type: number;
  readonly index: number;
  /** IFF_*, and which of them are to be changed. */
  readonly flags: number;
  readonly change: number;
  readonly attributes: LinkAttributes;
}

const infoAttributes = struct({
  kind: bareText(IFLA_INFO_KIND),
  data: bytes(IFLA_INFO_DATA),
  slaveKind: bareText(IFLA_INFO_SLAVE_KIND),
  slaveData: bytes(IFLA_INFO_SLAVE_DATA),
});

const linkInfo: Codec<LinkInfo> = {
  put(out, { peer, macvlan, port, ...info }) {
    infoAttributes.put(out, {
      ...info,
      ...(peer && { data: encode(vethData, { peer }) }),
      ...(macvlan && { data: encode(macvlanData, macvlan) }),
      ...(port && { slaveData: encode(bridgePort, port) }),
    });
  },
  get(payload) {
    const { data, slaveData, ...info } = infoAttributes.get(payload);
    const isPort = slaveData !== undefined && info.slaveKind === 'bridge';
    return {
      ...info,
      ...(data && dataOf(info.kind, data)),
      ...(isPort ? { port: bridgePort.get(Buffer.from(slaveData)) } : slaveData && { slaveData }),
    };
  },
};

/** IFLA_INFO_DATA, decoded where we know how. */
function dataOf(kind: string | undefined, data: Uint8Array): Pick<LinkInfo, 'peer' | 'macvlan' | 'data'> {
  if (isMacvlan(kind)) return { macvlan: macvlanData.get(Buffer.from(data)) };
  const peer = kind === 'veth' ? vethData.get(Buffer.from(data)).peer : undefined;
  return peer ? { peer } : { data };
}

/** In the order in which ip writes them. */
const fields = {
  mac: bytes(IFLA_ADDRESS),
  mtu: u32(IFLA_MTU),
  txQueueLength: u32(IFLA_TXQLEN),
  netnsid: u32(IFLA_LINK_NETNSID),
  master: u32(IFLA_MASTER),
  operstate: u8(IFLA_OPERSTATE),
  alias: bareText(IFLA_IFALIAS),
  group: u32(IFLA_GROUP),
  netnsFd: u32(IFLA_NET_NS_FD),
  link: u32(IFLA_LINK),
  name: text(IFLA_IFNAME),
  targetNsid: u32(IFLA_TARGET_NETNSID),
  extMask: u32(IFLA_EXT_MASK),
  promiscuity: u32(IFLA_PROMISCUITY),
  info: plainNest(IFLA_LINKINFO, linkInfo),
  families: bytes(IFLA_AF_SPEC),
  altNames: nest(IFLA_PROP_LIST, listOf(IFLA_ALT_IFNAME, text(IFLA_ALT_IFNAME).codec)),
} as const;

/** struct ifinfomsg */
const HEADER = { family: 1, type: 2, index: 4, flags: 4, change: 4 } as const;

/** What is read of a link is never written back, and half of its fifty attributes are counters. */
const READ_ONLY = { others: 'dropped' } as const;

const plainMessage: Codec<LinkMessage> = headed('a link message', HEADER, struct(fields, READ_ONLY));
// Of other families, IFLA_PROTINFO is something else. br_setlink insists on the flag of the nest.
const bridgeMessage: Codec<LinkMessage> = headed(
  'a link message of a bridge',
  HEADER,
  struct({ ...fields, port: nest(IFLA_PROTINFO, bridgePort) }, READ_ONLY),
);

/** What follows the netlink header of RTM_NEWLINK and its like; reading throws DecodeError. */
export const linkMessage: Codec<LinkMessage> = {
  put: (out, message) => (message.family === AF_BRIDGE ? bridgeMessage : plainMessage).put(out, message),
  get: (data) => (data[0] === AF_BRIDGE ? bridgeMessage : plainMessage).get(data),
};

const vethData: Codec<{ readonly peer?: LinkMessage }> = struct({
  peer: plainNest(VETH_INFO_PEER, linkMessage),
});

/** A message that says only what is given. */
export function encodeLink(attributes: LinkAttributes, given: Partial<LinkMessage> = {}): Buffer {
  return encode(linkMessage, {
    family: 0,
    type: 0,
    index: 0,
    flags: 0,
    change: 0,
    ...given,
    attributes,
  });
}
