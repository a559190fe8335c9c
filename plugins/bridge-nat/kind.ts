/** bridge-nat as a kind of attachment: a bridge, a veth into each container, addresses, NAT and published ports. */
import type { Kind } from '../../lib/mooring/kind.ts';
import { releaseHostLocal } from '../../lib/mooring/host-local.ts';
import { lostInterface } from '../../lib/mooring/death.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { findUplink } from '../../lib/netlink/uplink.ts';
import { refuseOverlaps } from './apart.ts';
import type { BridgeNatConfig } from './config.ts';
import { KIND, readDetail } from './detail.ts';
import type { BridgeNatDetail } from './detail.ts';
import { clientOf, whyEnded } from './dhcp-server/client.ts';
import { requireGateway } from './dhcp-server/config.ts';
import { serverRecord } from './dhcp-server/network.ts';
import { isAbandoned, staysForGuests } from './dhcp-server/guests.ts';
import { flushFlows, isLeft, leaveShared, ownRemovals, removeByKey } from './disconnect.ts';
import { completeEgress } from './egress/complete.ts';
import { hasForeignPorts, isForeign } from './bridge/foreign-bridge.ts';
import { bridgeNameFor, containerMacFor, hostIfnameFor } from './names.ts';
import { notesOnPorts, placeOnHost } from './nat/host.ts';
import { findMember } from './bridge/member-ports.ts';
import type { Member } from './bridge/members.ts';
import { findNdpUplinks } from './bridge/ndp-proxy.ts';
import { planAttachment } from './plan.ts';
import { sourceRuleRemovals } from './inside/source-rules.ts';
import { refuseUnlisted } from './inside/allowlist.ts';
import { extendStanding, takeOver, withStandby } from './standby.ts';

function segmentOf({ bridge }: BridgeNatConfig, network: string): string {
  return bridge ?? bridgeNameFor(network);
}

/** Of the interface whose addresses the bridge gets: the host goes on sending what it sent. */
function mtuOf(route: NetlinkSocket, members: readonly Member[], bridge: string): number | undefined {
  const moving = members.find(({ moveAddresses }) => moveAddresses);
  return moving && findMember(route, bridge, moving.interface)?.mtu;
}

export const bridgeNat: Kind<BridgeNatConfig, BridgeNatDetail> = {
  name: KIND,
  about: 'CNI bridge-nat plugin of netmoor: bridge, veth, addresses, NAT and published ports, IPv4 and IPv6',
  segments: 'bridge',

  readConfig: async (config, request) => (await import('./config.ts')).readBridgeNatConfig(config, request),
  complete({ route, world }, config, network) {
    if (config.tuning) refuseUnlisted(config.tuning, world.files);
    const bridge = segmentOf(config, network);
    const role = isForeign(route, bridge) ? config.onForeignBridge : {};
    const completed = { ...config, ...role };
    if (config.dhcpServer) requireGateway(completed, bridge);
    const { ndpProxy } = config;
    const nat = config.nat && placeOnHost(route, config.nat);
    return {
      ...completed,
      nat,
      notes: [...config.notes, ...(nat?.notes ?? []), ...notesOnPorts(route, config.portMappings)],
      mtu: config.mtu ?? mtuOf(route, config.members, bridge) ?? findUplink(route)?.mtu,
      ndpProxy: ndpProxy && findNdpUplinks(route, ndpProxy, completed, bridge),
      egress: completeEgress(route, completed, bridge),
    };
  },
  segmentOf,
  // Addresses on one bridge are unique whatever networks share it.
  scopeOf: (segment) => `bridge ${segment}`,
  async strangers(host, config, key, segment) {
    const bridge = findLink(host.route, segment);
    if (bridge === undefined || !hasForeignPorts(host.route, bridge)) return undefined;
    // What few hosts have is not even loaded for the others.
    return (await import('./strangers.ts')).strangersOn(host, config, key, bridge);
  },
  addresses: ({ ipam }) => (ipam.kind === 'delegated' ? 'after-link' : 'before-link'),
  identify: (key, { mac, mtu }) => ({
    hostIfname: hostIfnameFor(key),
    mac: mac ?? containerMacFor(key),
    ...(mtu === undefined ? {} : { mtu }),
  }),
  plan: planAttachment,
  ofNetwork: ({ dhcpServer: options, ipam, dns: own }, dns, { detail, mtu }) => {
    if (options === undefined || ipam.kind !== 'netmoor') return {};
    const told = Object.keys(own).length > 0 ? own : dns;
    const dhcpServer = serverRecord({ options, ipam, dns: told, mtu, detail });
    return dhcpServer === undefined ? {} : { dhcpServer };
  },
  readDetail,

  refuse: refuseOverlaps,
  claim: (tx, record) => withStandby(tx, record),
  settle(host, _tx, before, after) {
    if (after.ports.length > before.ports.length) extendStanding(host, after);
  },
  connect: async (...work) => (await import('./connect.ts')).connect(...work),

  own: (host, record) => [...sourceRuleRemovals(host, record), ...ownRemovals(host, record)],
  leaveShared(host, record, last, whole) {
    for (const { remove } of whole ? sourceRuleRemovals(host, record) : []) remove();
    leaveShared(host, record, last, whole);
  },
  staysBehind: (host, record) => record.detail.keepBridge || staysForGuests(host, record),
  isIdle: isAbandoned,
  isNoContainer: (record) => clientOf(record) !== undefined,
  passOn: (host, tx, gone) => takeOver(tx, host, gone),
  afterwards(host, record) {
    flushFlows(host, record);
    const { imported } = record.detail;
    if (imported) releaseHostLocal(imported.directory, record, host.world);
  },
  isLeft,
  removeByKey,

  deathOf: (judge, record) => whyEnded(record) ?? lostInterface(judge, record),
  makesWay: (record) => clientOf(record)?.state === 'offered',
  verify: async (host, record) => (await import('./verify.ts')).verifyHost(host, record),
  verifyInside: async (...what) => (await import('./inside/verify-inside.ts')).verifyInside(...what),
  async probe({ world }, { dhcpServer, vlans }) {
    (await import('./probe.ts')).probeKernel(vlans !== undefined);
    if (dhcpServer) (await import('./dhcp-server/request.ts')).requireEngine(world);
  },
  following: async () => (await import('./following.ts')).following,
  repairing: async () => (await import('./repair.ts')).repairing,
  sweeping: async () => (await import('./sweeping.ts')).sweeping,
};
