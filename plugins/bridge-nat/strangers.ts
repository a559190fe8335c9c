/**
 * Others on a bridge: containers of the reference's plugins, which host-local's files and the runtime's results tell
 * of, and whoever is seen or answers behind the bridge. See lib/mooring/strangers.ts.
 */
import { basename, join } from 'node:path';
import { isErrno } from '../../lib/base/errors.ts';
import { formatAddress, parseAddress, prefixContains } from '../../lib/base/ip.ts';
import { poolSubnets } from '../../lib/mooring/ipam.ts';
import { parseMac } from '../../lib/base/mac.ts';
import { cachedAttachment, cachedAttachments } from '../../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { HOST_LOCAL_DIRECTORY, hostLocalLeases, hostLocalNetworks } from '../../lib/mooring/host-local.ts';
import type { HostLocalLease } from '../../lib/mooring/host-local.ts';
import type { Strangers } from '../../lib/mooring/strangers.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { listNeighbours } from '../../lib/netlink/neighbour.ts';
import { firstHolder } from '../../lib/system/neighbour-probe.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { formatKey, sameKey } from '../../ipam/record.ts';
import type { BridgeNatConfig } from './config.ts';

/** Behind a port of the host's own bridge; farther away the switch has learnt where to look by the second time. */
const PACE = { rounds: 2, roundMs: 50 };

function resultOf(
  { containerId, ifname }: HostLocalLease,
  network: string,
  host: Host,
): CachedAttachment | undefined {
  if (ifname !== undefined) return cachedAttachment({ network, containerId, ifname }, host.world);
  return cachedAttachments(containerId, host.world).find((cached) => cached.network === network);
}

/** Whether what the result tells of on the host is still there: the kernel takes a veth away with its container. */
function lives({ route }: Host, { result }: CachedAttachment): boolean {
  const onHost = result?.interfaces.filter(({ sandbox }) => sandbox === undefined) ?? [];
  return onHost.every(({ name }) => findLink(route, name) !== undefined);
}

/** Without a result, a lease of the network itself counts; one of another network may be of another bridge. */
function isHere(host: Host, lease: HostLocalLease, network: string, own: boolean, bridge: Link): boolean {
  const cached = resultOf(lease, network, host);
  if (cached === undefined) return own;
  const onBridge = cached.result?.interfaces.some(({ name }) => name === bridge.name) ?? own;
  return (own || onBridge) && lives(host, cached);
}

/** Where host-local keeps files: its usual place, and the `dataDir` that the config had when it was host-local's. */
function directories({ ipam }: BridgeNatConfig): string[] {
  const named = ipam.kind === 'netmoor' ? ipam.pool.dataDir : undefined;
  const all = [HOST_LOCAL_DIRECTORY, ...(named === undefined ? [] : [named])];
  return all.flatMap((directory) => hostLocalNetworks(directory).map((network) => join(directory, network)));
}

function leased(host: Host, config: BridgeNatConfig, key: AttachmentKey, bridge: Link): Map<string, string> {
  const subnets = poolSubnets(config.ipam);
  const isOurs = (text: string): boolean =>
    subnets.some((subnet) => prefixContains(subnet, parseAddress(text)));
  const held = new Map<string, string>();
  for (const directory of directories(config)) {
    const network = basename(directory);
    const own = network === key.network;
    for (const lease of hostLocalLeases(directory, host.world, isOurs)) {
      const { containerId, ifname = key.ifname, address } = lease;
      const holder = { network, containerId, ifname };
      if (sameKey(holder, key) || !isHere(host, lease, network, own, bridge)) continue;
      held.set(address, `${formatKey(holder)}, by a lease of host-local`);
    }
  }
  return held;
}

/** `bridge` has ports that are none of ours. */
export function strangersOn(
  host: Host,
  config: BridgeNatConfig,
  key: AttachmentKey,
  bridge: Link,
): Strangers {
  const { route, world } = host;
  const own = listAddresses(route, bridge.index).map(({ prefix }) => formatAddress(prefix.address));
  return {
    held: new Map([
      ...leased(host, config, key, bridge),
      ...own.map((address) => [address, `bridge ${bridge.name}`] as const),
    ]),
    seen: new Set(listNeighbours(route, bridge.index).map(({ address }) => formatAddress(address))),
    whoAnswers(addresses) {
      if ((bridge.flags & IFF_UP) === 0 || bridge.mac === undefined) return undefined;
      const link = { index: bridge.index, mac: parseMac(bridge.mac) };
      const holder = unlessGone(() => firstHolder(link, addresses, world.monotonic, PACE));
      return holder && { address: formatAddress(holder.address), holder: holder.mac };
    },
  };
}

/** A bridge that goes with its last container meanwhile is made anew, and has nobody on it who could answer. */
function unlessGone<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isErrno(error, 'ENODEV', 'ENXIO', 'ENETDOWN')) return undefined;
    throw error;
  }
}
