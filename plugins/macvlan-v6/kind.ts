/** macvlan-v6 as a kind of attachment: a macvlan on the LAN, whose addresses are the LAN's, IPv6 first. */
import type { Kind } from '../../lib/mooring/kind.ts';
import type { MacvlanConfig } from './config.ts';
import { deathOf } from './death.ts';
import { KIND, readDetail } from './detail.ts';
import type { MacvlanDetail } from './detail.ts';
import { isLeft, leaveShared, ownRemovals, removeByKey } from './disconnect.ts';
import { checkMtu, requireMaster } from './master.ts';
import { containerMacFor, segmentInContainer, whoseOf } from './names.ts';
import { planAttachment } from './plan.ts';

export const macvlanV6: Kind<MacvlanConfig, MacvlanDetail> = {
  name: KIND,
  about:
    'CNI macvlan-v6 plugin of netmoor: macvlan on the LAN, IPv6 by router advertisements, DHCPv6 or from a pool, IPv4',
  segments: 'master',
  asksEngine: true,

  readConfig: async (config, request) => (await import('./config.ts')).readMacvlanConfig(config, request),
  complete({ route, world }, config) {
    const machine = world.machineId;
    if (config.linkInContainer) return { ...config, machine };
    const { name, index, mac, mtu } = requireMaster(route, config.master);
    checkMtu({ name, mtu }, config.mtu);
    const found = { masterIndex: index, masterMac: mac };
    return { ...config, machine, master: name, ...found, mtu: config.mtu ?? mtu };
  },
  segmentOf: ({ master, linkInContainer }, network) =>
    linkInContainer ? segmentInContainer(master, network) : master,
  // Addresses on one LAN are unique whatever networks are on it.
  scopeOf: (segment) => `master ${segment}`,
  addresses: ({ ipam }) => (ipam.kind === 'delegated' ? 'after-link' : 'before-link'),
  identify: (key, { mode, masterMac, mac, mtu, machine, ...named }) => ({
    mac: (mode === 'passthru' ? masterMac : mac) ?? containerMacFor(machine, whoseOf(key, named)),
    ...(mtu === undefined ? {} : { mtu }),
  }),
  plan: planAttachment,
  readDetail,

  claim: (_tx, record) => record,
  settle: () => {},
  connect: async (...work) => (await import('./connect.ts')).connect(...work),

  own: ownRemovals,
  leaveShared,
  staysBehind: () => false,
  passOn: () => {},
  afterwards: () => {},
  isLeft,
  removeByKey,

  deathOf,
  verify: async (host, record) => (await import('./verify.ts')).verifyHost(host, record),
  verifyInside: async (...what) => (await import('./verify.ts')).verifyInside(...what),
  probe: async (host, config) => (await import('./probe.ts')).probe(host, config),
  following: async () => (await import('./following.ts')).following,
  repairing: async () => (await import('./repair.ts')).repairing,
  sweeping: async () => (await import('./sweeping.ts')).sweeping,
};
