/**
 * VLANs on the bridge and its ports, where the kernel can tell them apart; elsewhere they are refused, since a network
 * that was to be apart must not silently be together with others.
 */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import {
  filtersVlans,
  listVlans,
  vlanAddition,
  vlanFiltering,
  vlanRemoval,
} from '../../../lib/netlink/bridge-vlan.ts';
import type { Vlans } from '../../../lib/netlink/bridge-vlan.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { ALIAS } from '../../../lib/mooring/marks.ts';
import { DEFAULT_VLAN } from './vlans.ts';
import type { VlansWanted } from './vlans.ts';

/** What a kernel without CONFIG_BRIDGE_VLAN_FILTERING answers (br_changelink, br_afspec). */
export function withoutVlans(error: unknown): boolean {
  return isErrno(error, 'EOPNOTSUPP', 'EINVAL');
}

export function refuseVlans(bridge: string, cause: unknown): never {
  throw new NetmoorError(
    'unsupported-field',
    `bridge ${bridge} is to tell VLANs apart, which this kernel cannot (CONFIG_BRIDGE_VLAN_FILTERING)`,
    'give each VLAN a network and a bridge of its own, with the VLAN interface of the uplink as a port of that bridge',
    { cause },
  );
}

function only(vid: number): Vlans {
  return { first: vid, last: vid, pvid: true, untagged: true };
}

/** The host is the gateway in one VLAN of a bridge: that in which the bridge itself has no tags. */
function joinItself(host: NetlinkSocket, bridge: Link, { native, keepDefault }: VlansWanted): void {
  const present = listVlans(host).get(bridge.index) ?? [];
  const own = present.find(({ pvid }) => pvid)?.first;
  if (own === native) return;
  const used = listAddresses(host, bridge.index).some(({ scope }) => scope === 0);
  if (bridge.alias !== ALIAS || (own !== undefined && (own !== DEFAULT_VLAN || used)))
    throw new NetmoorError(
      'name-taken',
      `bridge ${bridge.name} itself is in VLAN ${own ?? 'none'}, and is to be the gateway of VLAN ${native}`,
      'name another bridge, or set "isGateway" to false',
    );
  host.requestAll([
    vlanAddition(bridge.index, only(native), `put bridge ${bridge.name} into VLAN ${native}`, true),
    ...(keepDefault || own === undefined
      ? []
      : [vlanRemoval(bridge.index, { first: own, last: own }, `take it out of VLAN ${own}`, true)]),
  ]);
}

/** Has the bridge tell VLANs apart, and be in its own where it is a gateway. Throws NetmoorError. */
export function readyVlans(host: NetlinkSocket, bridge: Link, wanted: VlansWanted, isGateway: boolean): void {
  if (!filtersVlans(host, bridge.index)) {
    if (bridge.alias !== ALIAS)
      throw new NetmoorError(
        'bad-config',
        `bridge ${bridge.name} does not tell VLANs apart`,
        `ip link set ${bridge.name} type bridge vlan_filtering 1`,
      );
    try {
      host.request(vlanFiltering(bridge.index, `have ${bridge.name} tell VLANs apart`));
    } catch (error) {
      if (withoutVlans(error)) refuseVlans(bridge.name, error);
      throw error;
    }
  }
  if (isGateway) joinItself(host, bridge, wanted);
}

/** Puts a port that has just been made into its VLANs. */
export function joinVlans(
  host: NetlinkSocket,
  port: Link,
  { native, trunk, keepDefault }: VlansWanted,
): void {
  const given = keepDefault ? [] : (listVlans(host).get(port.index) ?? []);
  const into = (vlans: Vlans) => vlanAddition(port.index, vlans, `put ${port.name} into VLAN ${vlans.first}`);
  host.requestAll([
    ...given.map((vlans) => vlanRemoval(port.index, vlans, `take ${port.name} out of VLAN ${vlans.first}`)),
    ...trunk.map(into),
    // Last: as one of a trunk's range it would be given tags.
    into(only(native)),
  ]);
}

/** How a port differs from that, in words. */
export function verifyVlans(host: NetlinkSocket, port: Link, { native, trunk }: VlansWanted): string[] {
  const present = listVlans(host).get(port.index) ?? [];
  const has = (vid: number, vlans: Vlans): boolean => vlans.first <= vid && vid <= vlans.last;
  const complaints: string[] = [];
  if (!present.some((vlans) => vlans.pvid && has(native, vlans)))
    complaints.push(`port ${port.name} is not in VLAN ${native}`);
  for (const { first, last } of trunk) {
    let lacks: number | undefined;
    for (let vid = first; vid <= last && lacks === undefined; vid++)
      if (!present.some((vlans) => has(vid, vlans))) lacks = vid;
    if (lacks !== undefined) complaints.push(`port ${port.name} does not carry VLAN ${lacks}`);
  }
  return complaints;
}
