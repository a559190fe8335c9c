/** The bridge: made with its first container, given its gateway addresses, removed with its last. */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { formatPrefix, prefixesOverlap, sameAddress } from '../../../lib/base/ip.ts';
import type { Prefix } from '../../../lib/base/ip.ts';
import { addressAddition, addressRemoval, listAddresses } from '../../../lib/netlink/address.ts';
import type { InterfaceAddress } from '../../../lib/netlink/address.ts';
import { settingsOf } from '../../../lib/netlink/devconf.ts';
import type { Ipv6Setting } from '../../../lib/netlink/devconf.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import { createBridge } from '../../../lib/netlink/link-creation.ts';
import { IFF_PROMISC, IFF_UP } from '../../../lib/netlink/link-message.ts';
import { removeLinks } from '../../../lib/netlink/link-removal.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { ensureSysctlIfPresent } from '../../../lib/system/sysctl.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { refuseHeld, refuseOtherKind } from './foreign-bridge.ts';
import { giveBack, keepsBridge, membersOn, standsForMember } from './member-ports.ts';
import { bridgeMacFor } from '../names.ts';
import { readyVlans, refuseVlans, withoutVlans } from './vlan-ports.ts';
import type { VlansWanted } from './vlans.ts';

export interface Ipv6Wanted {
  /** The container has an IPv6 address. */
  readonly wanted: boolean;
  /** Runs `work` unless somebody on the bridge has IPv6, and lets nobody begin to meanwhile. */
  readonly unlessUsed: (work: () => void) => void;
}

export interface BridgeWanted {
  readonly name: string;
  readonly mtu: number | undefined;
  readonly gateways: readonly Prefix[];
  /** Replace other addresses that stand in the way instead of refusing. */
  readonly forceAddress: boolean;
  readonly promiscuous: boolean;
  readonly ipv6: Ipv6Wanted;
  readonly vlans?: VlansWanted | undefined;
  /** It is to stand for a card of the host, and hears routers like that one. */
  readonly onLan: boolean;
  /** Plugs in what of the host is to be in it: who is there may have a gateway's address. The bridge as it is then. */
  readonly plugMembers: (bridge: Link) => Link;
  /** Milliseconds, for how long to wait for answers. */
  readonly now: () => number;
}

/** Two processes may be here at once: whoever loses the race uses what the other made. */
function findOrCreate(host: NetlinkSocket, wanted: BridgeWanted): Link {
  const found = findLink(host, wanted.name);
  if (found) return found;
  try {
    const more = {
      ...(wanted.mtu === undefined ? {} : { mtu: wanted.mtu }),
      ...(wanted.vlans === undefined ? {} : { vlanFiltering: true }),
    };
    return createBridge(host, { name: wanted.name, mac: bridgeMacFor(wanted.name), alias: ALIAS, ...more });
  } catch (error) {
    if (wanted.vlans !== undefined && withoutVlans(error)) refuseVlans(wanted.name, error);
    const other = isErrno(error, 'EEXIST') ? findLink(host, wanted.name) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

/**
 * Addresses on the bridge that contradict a wanted gateway: any other IPv4 one, an IPv6 one of an overlapping prefix.
 */
function contradictions(present: readonly Prefix[], gateways: readonly Prefix[]): Prefix[] {
  const wanted = (prefix: Prefix): boolean =>
    gateways.some(
      (gateway) => sameAddress(gateway.address, prefix.address) && gateway.length === prefix.length,
    );
  return present.filter((prefix) => {
    if (wanted(prefix)) return false;
    const rivals = gateways.filter((gateway) => gateway.address.family === prefix.address.family);
    return prefix.address.family === 4
      ? rivals.length > 0
      : rivals.some((rival) => prefixesOverlap(rival, prefix));
  });
}

/** What it has for a card of the host is in nobody's way, and not to be replaced. */
function unlessMoved(
  host: NetlinkSocket,
  link: Link,
  present: readonly InterfaceAddress[],
  inTheWay: readonly Prefix[],
): readonly Prefix[] {
  if (inTheWay.length === 0 || !standsForMember(host, link.name)) return inTheWay;
  const own = present.filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
  return inTheWay.filter((each) => own.some(({ prefix }) => prefix === each));
}

function ensureGateways(host: NetlinkSocket, link: Link, wanted: BridgeWanted): void {
  const globally = listAddresses(host, link.index).filter(({ scope }) => scope === 0);
  const present = globally.map((address) => address.prefix);
  const inTheWay = unlessMoved(host, link, globally, contradictions(present, wanted.gateways));
  if (inTheWay.length > 0 && !wanted.forceAddress) {
    const list = (prefixes: readonly Prefix[]): string => prefixes.map(formatPrefix).join(', ');
    throw new NetmoorError(
      'bad-config',
      `bridge ${link.name} has ${list(inTheWay)}, not ${list(wanted.gateways)}`,
      'use the same subnet as what made the bridge, another bridge name, ' +
        'or "forceAddress": true to replace its address',
    );
  }
  const missing = wanted.gateways.filter(
    (gateway) =>
      !present.some(
        (prefix) => sameAddress(prefix.address, gateway.address) && prefix.length === gateway.length,
      ),
  );
  refuseHeld(host, link, missing, wanted.now);
  const changes = [
    ...inTheWay.map((prefix) =>
      addressRemoval(link.index, prefix, `remove ${formatPrefix(prefix)} from ${link.name}`),
    ),
    ...missing.map((prefix) =>
      addressAddition(
        link.index,
        prefix,
        { dad: false, protocol: IFAPROT_NETMOOR },
        `add ${formatPrefix(prefix)} to ${link.name}`,
      ),
    ),
  ];
  // Another process at the same work may be faster.
  host.requestAll(changes, 'EEXIST', 'EADDRNOTAVAIL');
}

function setKernelKeys(host: NetlinkSocket, wanted: BridgeWanted, link: Link): void {
  // A container must not be able to make itself the host's router (CVE-2020-10749). A bridge that is not ours may well
  // be how the host itself learns its routes.
  const settings = settingsOf(link);
  const isOn = (setting: Ipv6Setting): boolean => (settings.ipv6(setting) ?? 0) !== 0;
  const set = (setting: Ipv6Setting, value: '0' | '1'): void =>
    void ensureSysctlIfPresent(value, 'net', 'ipv6', 'conf', link.name, setting);
  const ours = link.alias === ALIAS && !wanted.onLan;
  if (ours && isOn('accept_ra') && !standsForMember(host, link.name)) set('accept_ra', '0');
  const routed6 = wanted.gateways.some((gateway) => gateway.address.family === 6);
  if (routed6 || (link.alias === ALIAS && wanted.ipv6.wanted)) {
    if (isOn('disable_ipv6')) set('disable_ipv6', '0');
    // Its MAC address is its own: a second of DAD would only hold up the first packets.
    if (link.alias === ALIAS && isOn('accept_dad')) set('accept_dad', '0');
  } else if (link.alias === ALIAS && settings.ipv6('disable_ipv6') === 0) {
    // By its link-local address the host would offer whatever listens on [::] to containers of a network without IPv6,
    // past every rule that was written for IPv4.
    wanted.ipv6.unlessUsed(() => set('disable_ipv6', '1'));
  }
}

/** Makes the bridge, or completes it, as wanted; any number of processes may do so at once. */
export function ensureBridge(host: NetlinkSocket, wanted: BridgeWanted): Link {
  const found = findOrCreate(host, wanted);
  refuseOtherKind(found);
  setKernelKeys(host, wanted, found);
  const link = wanted.plugMembers(found);
  if (wanted.vlans) readyVlans(host, link, wanted.vlans, wanted.gateways.length > 0);
  if (wanted.gateways.length > 0) ensureGateways(host, link, wanted);
  const raise = (link.flags & IFF_UP) === 0;
  const listen = wanted.promiscuous && (link.flags & IFF_PROMISC) === 0;
  if (raise || listen) {
    const change = { ...(raise ? { up: true } : {}), ...(listen ? { promiscuous: true } : {}) };
    host.request(linkChange(link.index, change, `raise bridge ${link.name}`));
  }
  return link;
}

/**
 * Gives up a bridge after its last container. One that netmoor made is removed, unless something else is plugged into
 * it (a virtual machine's tap device), and its members are given back with it; from one that a person made, only the
 * addresses that netmoor gave it are taken, and its members. `along` are the last container's own interfaces, which go
 * with it.
 */
export function releaseBridge(host: NetlinkSocket, name: string, along: readonly Link[] = []): void {
  const link = findLink(host, name);
  const ours = link?.kind === 'bridge' && link.alias === ALIAS;
  const links = listLinks(host);
  const members = membersOn(links, name);
  const stays = ours && hasOtherPorts(links, link, along);
  if (!stays) giveBack(host, link, members);
  removeLinks(host, [...along, ...(ours && !stays ? [link] : [])]);
  if (link?.kind === 'bridge' && !ours) takeAddresses(host, link);
}

function hasOtherPorts(links: readonly Link[], bridge: Link, known: readonly Link[]): boolean {
  return links
    .filter(keepsBridge)
    .some(({ master, index }) => master === bridge.index && !known.some((port) => port.index === index));
}

function takeAddresses(host: NetlinkSocket, link: Link): void {
  const given = listAddresses(host, link.index).filter((address) => address.protocol === IFAPROT_NETMOOR);
  host.requestAll(
    given.map(({ prefix }) =>
      addressRemoval(link.index, prefix, `remove ${formatPrefix(prefix)} from ${link.name}`),
    ),
    'EADDRNOTAVAIL',
  );
}
