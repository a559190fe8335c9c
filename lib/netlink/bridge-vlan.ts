/**
 * VLANs of bridges (linux/if_bridge.h, bridge(8)): whether a bridge tells them apart, and which of them a port, or the
 * bridge itself as a host's interface, is a member of. Kernels without CONFIG_BRIDGE_VLAN_FILTERING refuse all of it
 * with EOPNOTSUPP.
 */
import { DecodeError, eachAttribute } from './attributes.ts';
import { attribute, encode, struct, u16, u8 } from './codec.ts';
import type { Codec } from './codec.ts';
import { encodeLink, linkMessage } from './link-codec.ts';
import { getRequest } from './link-message.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_BRIDGE,
  BRIDGE_FLAGS_SELF,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_RANGE_BEGIN,
  BRIDGE_VLAN_INFO_RANGE_END,
  BRIDGE_VLAN_INFO_UNTAGGED,
  IFLA_BRIDGE_FLAGS,
  IFLA_BRIDGE_VLAN_INFO,
  IFLA_BR_VLAN_FILTERING,
  RTEXT_FILTER_BRVLAN,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from './uapi.ts';

/** VLANs from `first` to `last`, 1 to 4094. */
export interface Vlans {
  readonly first: number;
  readonly last: number;
  /** What comes in without a tag is of this VLAN; of one VLAN alone. */
  readonly pvid?: boolean;
  /** Goes out without a tag. */
  readonly untagged?: boolean;
}

const bridgeData = struct({ vlanFiltering: u8(IFLA_BR_VLAN_FILTERING) });

/** IFLA_INFO_DATA of a bridge that is to tell VLANs apart: for its creation, or a change. */
export function vlanFilteringInfo(): { readonly kind: 'bridge'; readonly data: Uint8Array } {
  return { kind: 'bridge', data: encode(bridgeData, { vlanFiltering: 1 }) };
}

/** Has a bridge tell VLANs apart. EOPNOTSUPP: the kernel cannot. */
export function vlanFiltering(index: number, op: string): NetlinkRequest {
  return { type: RTM_NEWLINK, op, data: encodeLink({ info: vlanFilteringInfo() }, { index }) };
}

/** Whether a bridge tells VLANs apart. */
export function filtersVlans(socket: NetlinkSocket, index: number): boolean {
  return socket.request(getRequest(index)).some(({ type, data }) => {
    const { info } = type === RTM_NEWLINK ? linkMessage.get(data).attributes : {};
    return info?.data !== undefined && bridgeData.get(Buffer.from(info.data)).vlanFiltering === 1;
  });
}

/** struct bridge_vlan_info */
interface VlanInfo {
  readonly flags: number;
  readonly vid: number;
}

const vlanInfo: Codec<VlanInfo> = {
  put(out, { flags, vid }) {
    out.u16(flags);
    out.u16(vid);
  },
  get(data) {
    if (data.length !== 4) throw new DecodeError(`a VLAN of a bridge has ${data.length} bytes`);
    return { flags: data.readUInt16LE(0), vid: data.readUInt16LE(2) };
  },
};

/** IFLA_AF_SPEC of the family AF_BRIDGE, as far as it is about VLANs: one attribute may be there many times. */
export const bridgeSpec: Codec<{ readonly flags?: number; readonly vlans: readonly VlanInfo[] }> = {
  put(out, { flags, vlans }) {
    const own = u16(IFLA_BRIDGE_FLAGS);
    if (flags !== undefined) attribute(out, own.type, own.codec, flags);
    for (const info of vlans) attribute(out, IFLA_BRIDGE_VLAN_INFO, vlanInfo, info);
  },
  get(data) {
    const vlans: VlanInfo[] = [];
    let flags: number | undefined;
    eachAttribute(data, (type, payload) => {
      if (type === IFLA_BRIDGE_VLAN_INFO) vlans.push(vlanInfo.get(payload));
      else if (type === IFLA_BRIDGE_FLAGS) flags = u16(type).codec.get(payload);
    });
    return { ...(flags !== undefined && { flags }), vlans };
  },
};

function infosOf({ first, last, pvid = false, untagged = false }: Vlans): VlanInfo[] {
  const flags = (pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
  if (first === last) return [{ flags, vid: first }];
  return [
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, vid: first },
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_END, vid: last },
  ];
}

function memberMessage(index: number, vlans: Vlans, self: boolean): Buffer {
  const spec = { ...(self && { flags: BRIDGE_FLAGS_SELF }), vlans: infosOf(vlans) };
  return encodeLink({ families: encode(bridgeSpec, spec) }, { family: AF_BRIDGE, index });
}

/** Makes a port, or with `self` a bridge itself, a member of VLANs; repeating it changes nothing. */
export function vlanAddition(index: number, vlans: Vlans, op: string, self = false): NetlinkRequest {
  return { type: RTM_SETLINK, op, data: memberMessage(index, vlans, self) };
}

/** Ends that membership; ENOENT where there is none. */
export function vlanRemoval(index: number, vlans: Vlans, op: string, self = false): NetlinkRequest {
  return { type: RTM_DELLINK, op, data: memberMessage(index, vlans, self) };
}

function vlansOf(infos: readonly VlanInfo[]): Vlans[] {
  let begun: number | undefined;
  return infos.flatMap(({ flags, vid }) => {
    if (flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
      begun = vid;
      return [];
    }
    const first = flags & BRIDGE_VLAN_INFO_RANGE_END ? (begun ?? vid) : vid;
    begun = undefined;
    const [pvid, untagged] = [BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED].map(
      (flag) => (flags & flag) !== 0,
    );
    return [{ first, last: vid, pvid: pvid === true, untagged: untagged === true }];
  });
}

/** What ports, and bridges themselves, are members of, by ifindex (`bridge vlan show`). */
export function listVlans(socket: NetlinkSocket): Map<number, readonly Vlans[]> {
  const data = encodeLink({ extMask: RTEXT_FILTER_BRVLAN }, { family: AF_BRIDGE });
  const messages = socket.dump({ type: RTM_GETLINK, data, op: 'list the VLANs of bridges' });
  return new Map(
    messages.map((message) => {
      const { index, attributes } = linkMessage.get(message.data);
      const { vlans } = bridgeSpec.get(Buffer.from(attributes.families ?? []));
      return [index, vlansOf(vlans)];
    }),
  );
}
