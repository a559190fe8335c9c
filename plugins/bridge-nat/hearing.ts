/**
 * How a container's interface learns what only the network can tell: whether another has its addresses, and what
 * routers say, where an IPAM plugin that speaks DHCPv6 needs them.
 */
import type { UndoStack } from '../../lib/base/undo.ts';
import { quickenDetection } from '../../lib/mooring/kernel-keys.ts';
import type { Dad, Routers } from '../../lib/mooring/kernel-keys.ts';
import type { Found } from '../../lib/mooring/kind.ts';
import { awaitRouter, dnsBy, openRouterWatch, routesBy } from '../../lib/mooring/routers.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { BridgeNatConfig } from './config.ts';
import type { BridgeNatDetail, BridgeNatRecord } from './detail.ts';
import { dnsThroughProxy } from './egress/taking.ts';
import type { Work } from './plug-in.ts';

/** The store rules duplicates out, a DHCPv6 server on a LAN that is not ours does not; who wants more says so. */
export function dadOf({ enabledad, ipam }: BridgeNatConfig): Dad {
  if (enabledad) return 'strict';
  return dhcp6Of(ipam) === undefined ? 'off' : 'optimistic';
}

function dhcp6Of(ipam: BridgeNatConfig['ipam']): 'stateful' | 'stateless' | undefined {
  return ipam.kind === 'delegated' ? ipam.dhcp6 : undefined;
}

/** DHCPv6 tells no way out, nor what is on the link: routers do (RFC 9915, section 4.1). */
export function routersOf({ ipam }: BridgeNatConfig): Routers {
  const dhcp6 = dhcp6Of(ipam);
  if (dhcp6 === undefined) return 'ignored';
  return dhcp6 === 'stateful' ? 'routes' : 'slaac';
}

/** What is listened to from before the interface is raised, as long as it takes its addresses. */
export interface Hearing {
  /** What routers say, where they are to be believed; undefined where not. */
  found(record: BridgeNatRecord, inside: Link): Found<BridgeNatDetail> | undefined;
  end(): void;
}

function quicken({ netns }: Sandbox, ifname: string): () => void {
  const unhurried = inNetns(netns, () => quickenDetection(ifname));
  return () => inNetns(netns, unhurried);
}

const DEAF: Hearing = {
  found: (record) => {
    const { addresses, detail } = record;
    return detail.egress?.proxy && { addresses, detail, routes: [], dns: dnsThroughProxy(record) };
  },
  end: () => {},
};

/** Begun before the interface is raised. */
export function hear({ host, request, sandbox }: Work, undo: UndoStack): Hearing {
  const { config, key } = request;
  if (routersOf(config) === 'ignored') return DEAF;
  const routers = openRouterWatch(sandbox, key.ifname, undo);
  const unhurry = dadOf(config) === 'optimistic' ? quicken(sandbox, key.ifname) : undefined;
  return {
    found({ addresses, detail }, inside) {
      const found = awaitRouter(sandbox, inside, routers.notifications, host.world.monotonic);
      return { addresses, detail, routes: routesBy(found, inside), dns: dnsBy(found) };
    },
    end() {
      routers.close();
      unhurry?.();
    },
  };
}
