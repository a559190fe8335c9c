/** What the kernel tells of a link, and the request for it. */
import { formatMac } from '../base/mac.ts';
import { encodeLink, linkMessage } from './link-codec.ts';
import { modeOf } from './macvlan-codec.ts';
import type { MacvlanMode } from './macvlan-codec.ts';
import type { NetlinkMessage, NetlinkRequest } from './socket.ts';
import { RTEXT_FILTER_SKIP_STATS, RTM_GETLINK } from './uapi.ts';

export {
  IFF_ALLMULTI,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_NOARP,
  IFF_POINTOPOINT,
  IFF_PROMISC,
  IFF_UP,
  IF_OPER_UP,
} from './uapi.ts';

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly flags: number;
  readonly mac: string | undefined;
  readonly mtu: number;
  /** How many packets wait at most. */
  readonly txQueueLength: number | undefined;
  readonly operstate: number;
  /** ifindex of the bridge (or bond, VRF) it is a port of. */
  readonly master: number | undefined;
  /** ifindex of the other end of a veth or the master of a macvlan, in the namespace that netnsid names. */
  readonly peer: number | undefined;
  readonly netnsid: number | undefined;
  /** Free text that a person or tool attached to the link. */
  readonly alias: string | undefined;
  /** rtnl_link_ops kind: "bridge", "veth", …; absent for a physical device. */
  readonly kind: string | undefined;
  readonly promiscuity: number;
  /** Of a bridge's port. */
  readonly hairpin: boolean | undefined;
  readonly isolated: boolean | undefined;
  /** Of the kinds "macvlan" and "macvtap". */
  readonly macvlan?: Macvlan;
  /** IFLA_AF_SPEC: its settings of IPv4 and IPv6, for settingsOf() (devconf.ts). */
  readonly families?: Uint8Array;
  /** Alternative names (alt-name.ts); absent when it has none. */
  readonly altNames?: readonly string[];
}

export interface Macvlan {
  /** undefined for one that we never make ("source"). */
  readonly mode: MacvlanMode | undefined;
  /** How many broadcasts wait for it at most; what its master has is the largest of its macvlans'. Since 5.11. */
  readonly bcQueueLength: number | undefined;
}

/** Reads RTM_NEWLINK and RTM_DELLINK; throws DecodeError. */
export function decodeLink(message: NetlinkMessage): Link {
  const { index, flags, attributes } = linkMessage.get(message.data);
  const { mac, info } = attributes;
  const { port, macvlan } = info ?? {};
  return {
    index,
    flags,
    name: attributes.name ?? '',
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    mtu: attributes.mtu ?? 0,
    txQueueLength: attributes.txQueueLength,
    operstate: attributes.operstate ?? 0,
    master: attributes.master,
    peer: attributes.link,
    netnsid: attributes.netnsid,
    alias: attributes.alias,
    kind: info?.kind,
    promiscuity: attributes.promiscuity ?? 0,
    hairpin: port && port.hairpin === 1,
    isolated: port && port.isolated === 1,
    ...(attributes.families && { families: attributes.families }),
    ...(attributes.altNames && { altNames: attributes.altNames }),
    ...(macvlan && { macvlan: { mode: modeOf(macvlan.mode), bcQueueLength: macvlan.bcQueueLength } }),
  };
}

/** Where a link is looked for. */
export interface Whereabouts {
  /** A namespace other than the socket's, by its id there (nsid.ts); it need not be entered (kernel 4.15). */
  readonly nsid?: number | undefined;
}

/** How a request says so. */
export function whereAttributes({ nsid }: Whereabouts): { targetNsid?: number } {
  return nsid === undefined ? {} : { targetNsid: nsid };
}

/** The errors that say that there is no such link; of a namespace that is gone, EINVAL (rtnl_get_net_ns_capable). */
export function absence({ nsid }: Whereabouts): readonly string[] {
  return nsid === undefined ? ['ENODEV'] : ['ENODEV', 'EINVAL'];
}

/** The request for one link, by name or ifindex. */
export function getRequest(which: string | number, where: Whereabouts = {}): NetlinkRequest {
  const named = typeof which === 'string';
  return {
    type: RTM_GETLINK,
    op: `look up interface ${named ? which : `#${which}`}`,
    data: encodeLink(
      { ...(named && { name: which }), ...whereAttributes(where), extMask: RTEXT_FILTER_SKIP_STATS },
      { index: named ? 0 : which },
    ),
  };
}
